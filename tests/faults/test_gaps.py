"""Gaps that are easily overlooked: a slow line, a kick in global mode, a namespace left alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from evolution_ws import NamespaceState, _history
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import make_client
from tests.faults.history_tools import ids, message
from tests.faults.proxy import Proxy
from tests.faults.scale import short_times
from tests.helpers import wait_until


OPTIONS: dict[str, Any] = {"api_key": "invented-key", "backfill": True}


@pytest.fixture(autouse=True)
def _short_times() -> Iterator[None]:
    """Make the client's own times short."""
    with short_times():
        yield


def test_a_slow_line_that_breaks() -> None:
    """Messages that were long on their way when it broke are fetched, too."""
    with (
        # A server that is as patient as the line is slow.
        FakeEvolutionServer(instances=("sales",), ping_interval=1.0, ping_timeout=60.0) as server,
        Proxy(lambda: server.port, lambda: server.port) as proxy,
        make_client(proxy.url, **OPTIONS) as client,
    ):
        total = 300
        proxy.set(bandwidth=10_000)
        for number in range(total):
            server.emit("messages.upsert", message(f"M{number}"))
        emitted = time.monotonic()
        got = [client.get(15)]
        # Bytes arrive all the time, and yet the last ones were emitted longer ago than the margin.
        while time.monotonic() < emitted + _history._MARGIN + 2.5:
            got.append(client.get(15))
        assert len(got) < total
        proxy.clear()
        proxy.reset(rest=False)
        got += client.events(limit=total - len(got), timeout=15)

        assert {f"M{number}" for number in range(total)} == set(ids(got))
        assert total == len(got)


@pytest.mark.parametrize("which", [None, "/"], ids=["all", "root"])
def test_a_kick_in_global_mode(which: str | None) -> None:
    """In global mode the instance's events come over /, and to lose that is to miss them."""
    with (
        FakeEvolutionServer(instances=("sales",), global_events=True) as server,
        make_client(server.url, **OPTIONS) as client,
    ):
        server.emit("messages.upsert", message("M1"))
        assert ["M1"] == ids([client.get(15)])
        server.kick(which)
        server.emit("messages.upsert", message("M2"))
        server.wait_for_client("/")
        server.emit("messages.upsert", message("M3"))

        assert ["M2", "M3"] == ids([client.get(15), client.get(15)])
        assert 0 == client.stats.reconnects


def test_a_kick_of_a_client_that_avoids_global_mode() -> None:
    """It listens to its own namespace, and misses what that brings meanwhile."""
    with (
        FakeEvolutionServer(instances=("sales",), global_events=True) as server,
        make_client(server.url, global_events=False, **OPTIONS) as client,
    ):
        wait_until(lambda: client.namespaces["/"] is NamespaceState.LEFT)
        server.emit("messages.upsert", message("M1"))
        assert ["M1"] == ids([client.get(15)])
        server.kick("sales")
        server.emit("messages.upsert", message("M2"))
        server.wait_for_client("sales")
        server.emit("messages.upsert", message("M3"))

        assert {"M2", "M3"} == set(ids([client.get(15), client.get(15)]))


def test_the_event_that_makes_a_namespace() -> None:
    """It goes to nobody on the socket, and is delivered all the same, before the next one."""
    with (
        FakeEvolutionServer(instances=("sales",), lazy=True) as server,
        make_client(server.url, **OPTIONS) as client,
    ):
        assert NamespaceState.PENDING is client.namespaces["/sales"]
        server.emit("messages.upsert", message("M1"))
        server.wait_for_client("sales")
        server.emit("messages.upsert", message("M2"))
        events = [client.get(15), client.get(15)]

    assert ["M1", "M2"] == ids(events)
    assert [True, False] == [event.replayed for event in events]
