"""
Fixtures for pytest; they need no import.

This module is imported by every pytest session on a machine that has
evolution_ws, so it imports nothing that is not needed until a fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from .server import FakeEvolutionServer


@pytest.fixture
def evolution_server_factory() -> Iterator[Callable[..., FakeEvolutionServer]]:
    """Return a function that starts servers, which are stopped after the test."""
    from .server import FakeEvolutionServer

    with ExitStack() as stack:

        def make(**options: Any) -> FakeEvolutionServer:
            return stack.enter_context(FakeEvolutionServer(**options))

        yield make


@pytest.fixture
def evolution_server(
    evolution_server_factory: Callable[..., FakeEvolutionServer],
) -> FakeEvolutionServer:
    """Return a started server with the instance ``test``."""
    return evolution_server_factory(instances=("test",))
