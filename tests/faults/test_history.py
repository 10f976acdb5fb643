"""Backfill against a history that is large, slow, wrong or of another time."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from evolution_ws import Client, _backfill, _history
from evolution_ws._rest_base import ServerApi
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import make_client
from tests.faults.history_tools import ids, message
from tests.faults.leaks import resident
from tests.faults.long_history import long_history
from tests.faults.proxy import Proxy
from tests.faults.scale import short_times
from tests.helpers import wait_until


@pytest.fixture(autouse=True)
def _short_times() -> Iterator[None]:
    """Make the client's own times short."""
    with short_times():
        yield


def catching_up(url: str, **options: Any) -> Client:
    """Return a client that asks for the history of the last hour."""
    since = datetime.now(timezone.utc) - timedelta(hours=1)
    return make_client(url, api_key="invented-key", backfill=True, since=since, **options)


def store(server: FakeEvolutionServer, *data: dict[str, Any]) -> None:
    """Have the server store messages that nobody hears."""
    for one in data:
        server.emit("messages.upsert", one)


def test_fifty_thousand_messages(
    server: FakeEvolutionServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A long history is delivered once each, a page in memory at a time, with progress logged."""
    caplog.set_level(logging.INFO, "evolution_ws")
    total = 50_000
    records = [message(f"M{n}", ago=3500 * (1 - n / total)) for n in range(total)]
    gc.collect()

    with (
        long_history(records) as port,
        Proxy(lambda: server.port, lambda: port) as proxy,
        catching_up(proxy.url, queue_size=100) as client,
    ):
        got = [next(client.events()).id]
        before = most = resident()
        for event in client.events(limit=total - 1):
            got.append(event.id)
            if len(got) % 1000 == 0:
                most = max(most, resident())
                assert client.stats.queue_events <= 100

    assert total == len(set(got)) == len(got)
    # The ids that test and client remember take some of it; the events would take 100 MB.
    assert most - before < 40_000_000
    assert any("fetched 45000 missed messages" in r.getMessage() for r in caplog.records)


REFUSALS: dict[str, tuple[int, object]] = {
    "500": (500, "Internal Server Error"),
    "503": (503, None),
    "502": (502, "<html>Bad Gateway</html>"),
    "garbage": (200, "\x00\xff<html>"),
    "no-json": (200, None),
    "a-list": (200, []),
    "wrong-shape": (200, {"messages": {"records": 7}}),
}


@pytest.mark.parametrize(("status", "body"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_history_that_fails_for_a_while(
    server: FakeEvolutionServer, status: int, body: object
) -> None:
    """It is asked again, and then all is delivered; the gap is complete."""
    store(server, message("M1"), message("M2"))
    server.rest_fails(status, body, times=5)

    with catching_up(server.url) as client:
        gaps = client.subscribe("gap")
        got = ids(list(client.events(limit=2, timeout=15)))
        gap = gaps.get(15)

    assert {"M1", "M2"} == set(got)
    assert (2, True, None) == (gap.replayed, gap.complete, gap.error)


@pytest.mark.parametrize("status", [401, 403, 404, 400])
def test_a_history_that_is_refused(server: FakeEvolutionServer, status: int) -> None:
    """The gap says that it is not complete; the next one brings the window after all."""
    store(server, message("M1"))
    server.rest_fails(status)

    with catching_up(server.url) as client:
        gaps = client.subscribe("gap")
        gap = gaps.get(15)
        assert (0, False) == (gap.replayed, gap.complete)
        assert gap.error is not None
        server.rest_fails(None)
        server.drop()

        assert ["M1"] == ids([client.get(15)])
        later = gaps.get(15)
    assert (gap.start, True) == (later.start, later.complete)


def test_a_window_that_failed_outlives_later_gaps(server: FakeEvolutionServer) -> None:
    """Messages of the first of three gaps come, although REST failed until after the third."""
    with make_client(server.url, api_key="invented-key", backfill=True) as client:
        server.rest_fails(500)
        server.stop()
        time_of_first = time.time()
        store(server, message("M1"))
        server.start()
        server.wait_for_client("sales")
        for _ in range(2):
            # Longer than the margin: what a later window reaches back must not hide an error.
            wait_until(lambda: time.time() > time_of_first + 2 * _history._MARGIN)
            server.drop()
            wait_until(lambda: not client.is_connected)
            server.wait_for_client("sales")
        server.rest_fails(None)

        assert ["M1"] == ids([client.get(15)])


def test_a_history_that_hangs(server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Live events do not wait for a history that does not answer for ever; close() neither."""
    defaults = ServerApi.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "timeout", 1.0)
    monkeypatch.setattr(_backfill, "_LONGEST_HOLD", 1.0)
    server.rest_delay = 3600.0
    with catching_up(server.url) as client:
        wait_until(lambda: server.requests)
        store(server, message("M1"))

        event = client.get(15)
        assert "M1" == event.data["key"]["id"]
        assert not event.replayed
        begin = time.monotonic()
        assert client.close(5)
        assert time.monotonic() - begin < 4


@pytest.mark.parametrize("skew", [-86_400.0, -90.0, 45.0, 7_200.0])
def test_clocks_that_differ(server: FakeEvolutionServer, skew: float) -> None:
    """The server's own clock, from its Date header, is what the windows are made in."""
    with (
        Proxy(lambda: server.port, lambda: server.port) as proxy,
        make_client(proxy.url, api_key="invented-key", backfill=True) as client,
    ):
        proxy.set(clock_skew=skew)
        server.stop()
        store(server, message("M1", ago=-skew))
        server.start()

        assert ["M1"] == ids([client.get(15)])


def test_a_message_that_is_stored_late(server: FakeEvolutionServer) -> None:
    """Some channels emit first and store a moment later."""
    server.store_delay = 0.3
    with make_client(server.url, api_key="invented-key", backfill=True) as client:
        server.stop()
        store(server, message("M1"))
        server.start()

        assert ["M1"] == ids([client.get(15)])


def test_what_the_api_sent_does_not_come_back(server: FakeEvolutionServer) -> None:
    """A bot that wants messages.upsert alone does not get its own answers after a gap."""
    options: dict[str, Any] = {"api_key": "invented-key", "backfill": True, "queue_size": 0}
    with (
        make_client(server.url, **options) as client,
        client.subscribe("messages.upsert") as stream,
        client.subscribe("gap") as gaps,
    ):
        server.emit("send.message", message("S1"))
        wait_until(lambda: client.stats.received)
        server.stop()
        store(server, message("M1"))
        server.start()

        assert 1 == gaps.get(15).replayed
        assert ["M1"] == ids([stream.get(0)])


def slow_callback(client: Client) -> None:
    """Consume by callbacks alone, and leave the inbox to itself."""
    client.on("messages.upsert", callback=lambda event: None)


def full_subscription(client: Client) -> None:
    """Have a subscription that nobody reads."""
    client.subscribe("messages.upsert", maxsize=1)


@pytest.mark.parametrize("burden", [slow_callback, full_subscription])
def test_a_stream_that_nobody_reads(
    server: FakeEvolutionServer, burden: Callable[[Client], object]
) -> None:
    """A full queue without a reader delays neither the history nor live events of the others."""
    with make_client(server.url, api_key="invented-key", backfill=True, queue_size=3) as client:
        burden(client)
        with client.subscribe("messages.upsert", maxsize=1000) as stream:
            store(server, *(message(f"L{n}") for n in range(5)))
            assert 5 == len(list(stream.events(limit=5, timeout=10)))
            server.stop()
            store(server, *(message(f"M{n}") for n in range(20)))
            server.start()
            server.wait_for_client("sales")
            store(server, message("N1"))

            got = ids(list(stream.events(limit=21, timeout=30)))
    assert {*(f"M{n}" for n in range(20)), "N1"} == set(got)
    assert "N1" == got[-1]
