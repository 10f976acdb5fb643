"""A client ends from everywhere, at every moment, within its time, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from evolution_ws import (
    Backoff,
    ClientClosed,
    ConnectionState,
    NamespaceState,
)
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import (
    PROMPT,
    assert_closes,
    free_port,
    make_client,
    own_threads,
    seqs,
)
from tests.helpers import Gate, in_thread, wait_until
from tests.raw_server import Peer, RawServer


KEY = "key-of-the-tests-0001"


# Closing at every moment of a sound life


def test_close_before_connect() -> None:
    """A client that never connected closes, and then refuses to connect."""
    client = make_client("http://127.0.0.1:9")

    assert_closes(client)
    with pytest.raises(ClientClosed):
        client.connect()


def test_close_twice(server: FakeEvolutionServer) -> None:
    """A second close() does nothing and says that all is done."""
    client = make_client(server.url).connect()

    assert_closes(client)
    assert_closes(client)


def test_close_in_backoff() -> None:
    """Closing does not wait for the pause between two attempts."""
    client = make_client(f"http://127.0.0.1:{free_port()}", backoff=Backoff(initial=60, maximum=60))
    client._core.start()
    wait_until(lambda: client.state is ConnectionState.BACKOFF)

    assert_closes(client)


def test_close_while_a_namespace_is_pending() -> None:
    """Closing does not wait for a namespace that the server has not created yet."""
    with FakeEvolutionServer(instances=("sales",), lazy=True) as server:
        client = make_client(server.url).connect()
        assert client.namespaces == {"/": NamespaceState.JOINED, "/sales": NamespaceState.PENDING}

        assert_closes(client)


def test_close_while_the_settings_are_being_made() -> None:
    """Closing cuts the REST calls with which configure=True switches events on."""
    with FakeEvolutionServer(instances=("sales",), api_key=KEY, rest_delay=60) as server:
        client = make_client(server.url, api_key=KEY, configure=True)
        connecting = in_thread(client.connect)
        wait_until(lambda: server.requests)

        assert_closes(client)
        with pytest.raises(ClientClosed, match="the client is closed"):
            connecting.result(PROMPT)


def test_close_while_a_join_is_unanswered(server: FakeEvolutionServer) -> None:
    """Closing does not wait for the answer to a join that is asked for again."""
    client = make_client(server.url).connect()
    server.join_delay = float("inf")
    server.kick("sales")
    wait_until(lambda: client.namespaces["/sales"] is NamespaceState.ASKED)

    assert_closes(client)


@pytest.mark.parametrize("is_joined", [True, False], ids=["joined", "not joined"])
def test_close_while_the_connection_opens(
    server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch, is_joined: bool
) -> None:
    """Callbacks are told of a beginning and an end, or of neither."""
    seen: list[str] = []
    gate = Gate()
    client = make_client(server.url)
    client.on("connect", "disconnect", callback=lambda event: seen.append(event.type))
    if is_joined:
        monkeypatch.setattr(client._core.connection.backfill, "opened", gate)
        client._core.start()
        gate.wait_entered()
        client._core.connection.request_close()
        gate.release()
    else:
        server.join_delay = float("inf")
        client._core.start()
        wait_until(lambda: client.namespaces["/sales"] is NamespaceState.ASKED)

    assert_closes(client)
    assert seen == (["connect", "disconnect"] if is_joined else [])


@pytest.mark.parametrize("take", ["get", "events", "wait_for", "subscription", "wait_connected"])
def test_close_wakes_whoever_waits(server: FakeEvolutionServer, take: str) -> None:
    """Every blocking call ends when the client is closed by another thread."""
    client = make_client(server.url).connect()
    calls: dict[str, Callable[[], Any]] = {
        "get": client.get,
        "events": lambda: list(client.events()),
        "wait_for": client.wait_for,
        "subscription": lambda: list(client.subscribe()),
        "wait_connected": client.wait_connected,
    }
    if take == "wait_connected":
        server.stop()
        wait_until(lambda: not client.is_connected)
    waiting = in_thread(calls[take])
    if take == "wait_connected":
        wait_until(lambda: client._core.connection._watchers)
    elif take in ("wait_for", "subscription"):
        wait_until(lambda: len(client._core.hub._consumers) == 2)
    else:
        inbox: Any = client._core.hub._consumers[0].queue
        wait_until(lambda: inbox._getters)

    assert_closes(client)
    if take in ("events", "subscription"):
        assert waiting.result(PROMPT) == []
    else:
        with pytest.raises(ClientClosed):
            waiting.result(PROMPT)


@pytest.mark.parametrize("moment", ["callback", "on_error", "connect", "disconnect", "error"])
def test_close_inside_a_callback(moment: str) -> None:
    """Closing is legal in every callback, and nothing more is delivered afterwards."""
    closed: list[bool] = []

    def close(*_: object) -> None:
        closed.append(client.close(10))

    def fail() -> None:
        raise RuntimeError

    with FakeEvolutionServer(instances=("sales",)) as server:
        options: dict[str, Any] = {"on_error": close} if moment == "on_error" else {}
        client = make_client(server.url, **options)
        if moment == "error":
            server.stop()
            client.on("connect_error", callback=lambda: close())
        elif moment in ("connect", "disconnect"):
            client.on(moment, callback=lambda: close())
        else:
            client.on("messages.upsert", callback=fail if moment == "on_error" else close)
        running = in_thread(client.run)
        if moment != "error" and moment != "connect":
            server.wait_for_client("sales")
            wait_until(lambda: client.is_connected)
            if moment == "disconnect":
                server.drop()
            else:
                server.emit("messages.upsert", {"seq": 1})

        running.result()
        wait_until(lambda: closed)
        assert closed == [True]
        assert client.state is ConnectionState.CLOSED


def test_close_inside_the_function_for_the_key() -> None:
    """A key that closes its client ends the attempt before a byte was sent."""
    closed: list[bool] = []

    def key() -> str:
        closed.append(client.close(10))
        return KEY

    with RawServer(Peer.until_gone) as server:
        client = make_client(server.url, api_key=key)
        begin = time.monotonic()
        with pytest.raises(ClientClosed):
            client.connect()

        assert time.monotonic() - begin < PROMPT
        assert len(closed) == 1
        assert client.state is ConnectionState.CLOSED
        assert_closes(client)
        assert server.connections == 0


@pytest.mark.parametrize("round_", range(4))
def test_close_from_many_threads_at_once(server: FakeEvolutionServer, round_: int) -> None:
    """Twenty threads that close together all find it done."""
    client = make_client(server.url).connect()
    gate = threading.Barrier(20)

    def close() -> bool:
        gate.wait(10)
        return client.close(10)

    closing = [in_thread(close) for _ in range(20)]

    assert [thread.result() for thread in closing] == [True] * 20
    assert client.state is ConnectionState.CLOSED


def test_close_while_events_flood_in(server: FakeEvolutionServer) -> None:
    """What arrived before the end can be read after it, in order."""
    client = make_client(server.url).connect()
    for seq in range(2_000):
        server.emit("messages.upsert", {"seq": seq}, store=False)
    wait_until(lambda: client.stats.received > 100)

    assert_closes(client)
    got = seqs(list(client.events()))
    assert got == list(range(len(got)))
    assert len(got) > 100


def test_close_with_a_frozen_server_and_unsent_data(server: FakeEvolutionServer) -> None:
    """A server that takes nothing any more holds the end up for the flush, no longer."""
    client = make_client(server.url).connect()
    server.freeze()
    for _ in range(40):
        client.emit("sendNode", "x" * 900_000, namespace="/")

    assert_closes(client)


def test_close_with_a_frozen_server(server: FakeEvolutionServer) -> None:
    """A server that does not answer the farewell holds the end up for its grace, no longer."""
    client = make_client(server.url).connect()
    server.freeze()

    assert_closes(client)


def test_a_callback_that_blocks_is_left_behind(server: FakeEvolutionServer) -> None:
    """close() says that a callback still runs, and does not wait longer than told."""
    entered, release = threading.Event(), threading.Event()
    client = make_client(server.url)

    @client.on("messages.upsert")
    def block() -> None:
        entered.set()
        release.wait(30)

    client.connect()
    server.emit("messages.upsert", {"seq": 1})
    assert entered.wait(10)
    begin = time.monotonic()

    assert client.close(0.3) is False
    assert time.monotonic() - begin < PROMPT
    assert client.state is ConnectionState.CLOSED
    release.set()
    wait_until(lambda: client.close(1))


def test_callbacks_that_raise_stop_nothing(
    server: FakeEvolutionServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Each exception is logged, counted and handed on; the next event is delivered."""
    errors: list[tuple[str, int]] = []
    seen: list[int] = []
    client = make_client(
        server.url, on_error=lambda exc, event: errors.append((str(exc), event.data["seq"]))
    )

    @client.on("messages.upsert")
    def fail(event: Any) -> None:
        seen.append(event.data["seq"])
        raise ValueError(f"no {event.data['seq']}")

    with client:
        for seq in range(3):
            server.emit("messages.upsert", {"seq": seq})
        wait_until(lambda: len(errors) == 3)

    assert seen == [0, 1, 2]
    assert errors == [("no 0", 0), ("no 1", 1), ("no 2", 2)]
    assert client.stats.callback_errors == 3
    assert sum("fail" in record.getMessage() for record in caplog.records) == 3


def test_a_type_error_in_a_callback_is_no_wrong_signature(server: FakeEvolutionServer) -> None:
    """A lifecycle callback that raises TypeError is called once for each event, not again."""
    reasons: list[str] = []
    client = make_client(server.url)

    @client.on("disconnect")
    def fail(event: Any) -> None:
        reasons.append(event.reason)
        raise TypeError("fail() takes 0 positional arguments but 1 was given")

    with client:
        server.drop()
        wait_until(lambda: client.stats.reconnects and client.is_connected)

    assert len(reasons) == 2
    assert reasons[1] == "closed by this client"
    assert client.stats.callback_errors == 2


# Clients that nobody holds


def test_an_abandoned_client_closes_itself(server: FakeEvolutionServer) -> None:
    """A client whose last reference goes leaves no thread and no connection."""
    for _ in range(3):
        client = make_client(server.url)
        client.on("messages.upsert", callback=print)
        client.connect()
    server.wait_for_client("sales")
    del client
    gc.collect()

    wait_until(lambda: not own_threads())
    wait_until(lambda: not server.clients)


def test_an_abandoned_client_that_never_connected() -> None:
    """A client that was only made is collected like any object."""
    client = make_client("http://127.0.0.1:9")
    core = client._core
    del client
    gc.collect()

    assert core.connection._closing
    assert core.connection.state is ConnectionState.NEW


def test_an_abandoned_client_in_backoff() -> None:
    """A client that nobody holds does not go on trying to connect."""
    client = make_client(f"http://127.0.0.1:{free_port()}", backoff=Backoff(initial=60, maximum=60))
    with contextlib.suppress(TimeoutError):
        client.get(0)
    core = client._core
    wait_until(lambda: core.connection.state is ConnectionState.BACKOFF)
    del client
    gc.collect()

    wait_until(lambda: not own_threads())


def test_an_iterator_holds_its_client(server: FakeEvolutionServer) -> None:
    """A loop over a client that is held by nothing else goes on."""
    events = make_client(server.url).events()
    first = in_thread(lambda: next(events))
    server.wait_for_client("sales")
    gc.collect()
    server.emit("messages.upsert", {"seq": 1})

    assert first.result().data["seq"] == 1
    events.close()  # type: ignore[attr-defined]


def test_a_subscription_holds_its_client(server: FakeEvolutionServer) -> None:
    """A subscription of a client that is held by nothing else goes on."""
    stream = make_client(server.url).connect().subscribe()
    gc.collect()
    server.emit("messages.upsert", {"seq": 1})

    assert stream.get(10).data["seq"] == 1
