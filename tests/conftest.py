"""What holds for every test: a clean environment before it, and no thread left after it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from evolution_ws.testing import FakeEvolutionServer

from .dispatch_tools import Parts, make_parts
from .helpers import wait_until


# A shell ignores Ctrl-C for what it runs in the background; the programs that tests start and
# interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy", "ws_proxy"}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings of whoever runs the tests."""
    for name in list(os.environ):
        is_ours = name.startswith("EVOLUTION_") and not name.startswith("EVOLUTION_WS_TEST_")
        if is_ours or name.lower() in _PROXIES:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Fail a test after which a thread of a client still lives."""
    yield
    wait_until(lambda: not _client_threads())
    assert _client_threads() == []


def _client_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if _is_of_a_client(thread.name)]


def _is_of_a_client(name: str) -> bool:
    # An embedded server may outlive a test: its fixture decides.
    return name.startswith("evolution-ws-") and not name.startswith("evolution-ws-test-server-")


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Return a started server with the instance ``sales``."""
    with FakeEvolutionServer(instances=("sales",)) as started:
        yield started


@pytest.fixture
def make_dispatcher() -> Iterator[Callable[..., Parts]]:
    """Return a function that makes dispatchers, which are ended after the test."""
    made: list[Parts] = []

    def make(*args: Any, **options: Any) -> Parts:
        made.append(make_parts(*args, **options))
        return made[-1]

    yield make
    for parts in made:
        parts.end()
