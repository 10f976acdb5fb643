"""
Tools for testing code that uses evolution_ws.

:class:`FakeEvolutionServer` is an Evolution server on real loopback sockets;
:mod:`evolution_ws.testing.build` makes events, and the pytest fixtures
``evolution_server`` and ``evolution_server_factory`` come with the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from .server import ClientInfo, Emitted, FakeEvolutionServer, Instance, RestRequest


__all__ = ["ClientInfo", "Emitted", "FakeEvolutionServer", "Instance", "RestRequest"]


def __getattr__(name: str) -> Any:
    # The pytest plugin lives in this package and is imported by every pytest
    # session; the server and what it needs are not, until somebody asks.
    if name in __all__:
        try:
            from . import server
        except ModuleNotFoundError as exc:  # pragma: no cover - tested in a process of its own
            if exc.name not in ("h11", "websockets"):
                raise
            hint = "pip install 'evolution-ws[testing]'"
            raise ImportError(f"the embedded server needs {exc.name}: {hint}") from exc
        return getattr(server, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
