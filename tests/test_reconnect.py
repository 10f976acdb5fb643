"""What a client makes of a server that throws it out, restarts, freezes or flaps."""

from __future__ import annotations

import threading
import time

import engineio.base_client
import pytest

from evolution_ws import (
    Backoff,
    ClientClosed,
    ConnectError,
    ConnectionState,
    EvolutionError,
    LifecycleEvent,
    NamespaceState,
    _joins,
    _supervisor,
)
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import assert_closes, make_client, own_threads
from tests.helpers import Gate, in_thread, wait_until
from tests.raw_server import Peer, RawServer


@pytest.mark.parametrize("close", [False, True], ids=["namespaces", "transport"])
@pytest.mark.parametrize("instance", [None, "sales", "/"], ids=["all", "sales", "root"])
def test_a_kick_is_survived(server: FakeEvolutionServer, close: bool, instance: str | None) -> None:
    """A client that the server threw out joins again, and events go on in order."""
    with make_client(server.url) as client:
        server.emit("messages.upsert", {"seq": 1})
        assert client.get(10).data["seq"] == 1
        server.kick(instance, close=close)
        wait_until(
            lambda: (
                set(client.namespaces.values()) != {NamespaceState.JOINED}
                or client.stats.reconnects
            )
        )
        wait_until(lambda: set(client.namespaces.values()) == {NamespaceState.JOINED})
        server.wait_for_client("sales")
        server.emit("messages.upsert", {"seq": 2})

        assert client.get(10).data["seq"] == 2
        wait_until(lambda: client.stats.reconnects == close)  # events may come before it counts


def test_a_server_restart_is_survived(server: FakeEvolutionServer) -> None:
    """After a restart the client is back by itself, and says what happened in order."""
    log: list[str] = []
    client = make_client(server.url)
    client.on("connect", "disconnect", callback=lambda event: log.append(event.type))
    client.on("messages.upsert", callback=lambda event: log.append(str(event.data["seq"])))
    with client:
        server.emit("messages.upsert", {"seq": 1})
        wait_until(lambda: "1" in log)
        server.restart()
        server.wait_for_client("sales")
        wait_until(lambda: client.is_connected)
        server.emit("messages.upsert", {"seq": 2})
        wait_until(lambda: "2" in log)

    assert log == ["connect", "1", "disconnect", "connect", "2", "disconnect"]
    assert client.stats.reconnects == 1


def test_a_frozen_server_is_noticed() -> None:
    """A half-open connection is given up after ping interval and timeout, and replaced."""
    with (
        FakeEvolutionServer(instances=("sales",), ping_interval=0.3, ping_timeout=0.3) as server,
        make_client(server.url) as client,
    ):
        server.freeze()
        wait_until(lambda: not client.is_connected, 5)
        assert client.state is not ConnectionState.OPEN
        server.thaw()
        wait_until(lambda: client.is_connected)
        server.wait_for_client("sales")
        server.emit("messages.upsert", {"seq": 1})

        assert client.get(10).data["seq"] == 1


def test_a_join_that_is_never_answered_ends_the_connection(
    server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not answer after a kick is connected to anew, and the reason is told."""
    monkeypatch.setattr(_joins, "_FIRST_RETRY", 0.1)
    monkeypatch.setattr(_supervisor, "_TICK", 0.1)
    reasons: list[str] = []
    client = make_client(server.url, connect_timeout=0.5)

    @client.on("disconnect")
    def answer(event: LifecycleEvent) -> None:
        server.join_delay = 0
        reasons.append(str(event.reason))

    with client:
        server.join_delay = float("inf")
        server.kick("sales")
        wait_until(lambda: client.stats.reconnects and client.is_connected)

        assert reasons == ["the server did not answer the join of /sales"]
        assert client.stats.reconnects == 1


def test_a_slow_join_is_waited_for(server: FakeEvolutionServer) -> None:
    """A server that takes its time over a join after a drop is reached by the first attempt."""
    with make_client(server.url) as client:
        server.join_delay = 1.2
        server.drop()
        wait_until(lambda: client.stats.reconnects and client.is_connected)

        assert set(client.namespaces.values()) == {NamespaceState.JOINED}
        assert client.stats.reconnects == 1
        assert client._core.connection.failures == 0


def test_pings_keep_a_quiet_connection() -> None:
    """Each ping is answered, and a connection without events lives on."""
    answers: list[str] = []

    def ping(peer: Peer) -> None:
        peer.welcome(pingInterval=200, pingTimeout=200)
        for _ in range(20):
            peer.say("2")
            answers.append(peer.hear())
        peer.until_gone()

    with RawServer(ping) as server, make_client(server.url, None) as client:
        wait_until(lambda: len(answers) == 20)

        assert answers == ["3"] * 20
        assert client.is_connected
        assert client.stats.reconnects == 0


def test_a_flapping_server_is_survived() -> None:
    """A server that drops right after the join, again and again, leaves no zombie."""

    def flap(peer: Peer) -> None:
        peer.welcome(joins=1)

    def stay(peer: Peer) -> None:
        peer.welcome(joins=1)
        peer.say(
            '42["messages.upsert",{"event":"messages.upsert","instance":"a","data":{"seq":1}}]'
        )
        peer.until_gone()

    with RawServer(*[flap] * 15, stay) as server:
        client = make_client(server.url, None, backoff=Backoff(initial=0.01, maximum=0.02))
        event = next(client.events())

        assert event.data == {"seq": 1}
        assert client.is_connected
        assert server.connections == 16
        assert_closes(client)


def test_a_flapping_server_is_left_alone_for_longer_and_longer() -> None:
    """Each connection that ends at once makes the pause longer, although each was a success."""
    begins: list[float] = []
    ends: list[float] = []

    def flap(peer: Peer) -> None:
        begins.append(time.monotonic())
        peer.welcome()
        wait_until(lambda: client.is_connected)
        ends.append(time.monotonic())

    def stay(peer: Peer) -> None:
        begins.append(time.monotonic())
        peer.welcome()
        peer.until_gone()

    backoff = Backoff(initial=0.05, maximum=10, jitter=0)
    with RawServer(*[flap] * 4, stay) as server:
        client = make_client(server.url, None, backoff=backoff)
        client._core.start()
        wait_until(lambda: client.stats.reconnects == 4)
        assert client._core.connection.failures == 0
        assert_closes(client)

    pauses = [begin - end for begin, end in zip(begins[1:], ends, strict=True)]
    assert [pause >= 0.05 * 2**number for number, pause in enumerate(pauses)] == [True] * 4


def test_a_connection_that_lasted_lets_the_pauses_start_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Attempts and pauses count from the last good connection, and are not used up over weeks."""
    monkeypatch.setattr(_supervisor, "_STABLE", 0.1)

    def flap(peer: Peer) -> None:
        peer.welcome()
        wait_until(lambda: client.is_connected)

    def last(peer: Peer) -> None:
        flap(peer)
        time.sleep(0.15)  # longer than what counts as good

    def stay(peer: Peer) -> None:
        peer.welcome()
        peer.until_gone()

    with RawServer(flap, flap, last, flap, flap, stay) as server:
        client = make_client(server.url, None, backoff=Backoff(initial=0.01, attempts=4))
        client._core.start()
        wait_until(lambda: client.stats.reconnects == 5 and client.is_connected)
        assert_closes(client)


def refuse_thread(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let the next thread of that name not start."""
    start, names = threading.Thread.start, [name]

    def refuse(thread: threading.Thread) -> None:
        if thread.name.rpartition("-")[2] in names:
            names.clear()
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)


@pytest.mark.parametrize("name", ["read", "write"])
def test_a_thread_that_cannot_be_started_costs_one_attempt(
    server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A process that has too many threads for a moment connects as soon as it can."""
    errors: list[str] = []
    client = make_client(server.url)
    client.on("connect_error", callback=lambda event: errors.append(str(event.error)))
    with client:
        refuse_thread(monkeypatch, name)
        server.drop()
        wait_until(lambda: client.stats.reconnects and client.is_connected)
        server.emit("messages.upsert", {"seq": 1})

        assert client.get(10).data["seq"] == 1
        wait_until(lambda: errors)
        assert client._core.connection.failures == len(errors) == 1
        assert "can start no thread" in errors[0]
        assert len(own_threads()) == 4
        wait_until(lambda: len(server.clients) == 1)
        assert len(engineio.base_client.connected_clients) == 1


def test_a_history_for_which_there_is_no_thread(
    server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events go on, and the gap is told, when no thread can be started to fetch what it took."""
    gaps: list[tuple[bool, str]] = []
    client = make_client(server.url, api_key="key-of-the-tests-0001", backfill=True)
    client.on("gap", callback=lambda event: gaps.append((event.complete, str(event.error))))
    with client:
        refuse_thread(monkeypatch, "backfill")
        server.drop()
        wait_until(lambda: client.stats.reconnects and client.is_connected)
        server.emit("messages.upsert", {"seq": 1})

        assert client.get(10).data["seq"] == 1
        wait_until(lambda: gaps)
    assert gaps == [(False, "this process can start no thread (can't start new thread)")]


def test_connect_inside_a_disconnect_callback(server: FakeEvolutionServer) -> None:
    """Who connects by hand in the callback waits for the reconnect that is under way anyway."""
    outcomes: list[object] = []
    client = make_client(server.url)

    @client.on("disconnect")
    def connect() -> None:
        try:
            outcomes.append(client.connect())
        except ClientClosed as exc:
            outcomes.append(type(exc))

    with client:
        server.drop()
        wait_until(lambda: outcomes)
        server.wait_for_client("sales")
        server.emit("messages.upsert", {"seq": 1})

        assert client.get(10).data["seq"] == 1
        assert len(server.clients) == 1
        assert client.stats.reconnects == 1
    assert outcomes == [client, ClientClosed]


def test_headers_are_sent_at_each_attempt() -> None:
    """Headers and origin of one's own are part of the first handshake and of all others."""
    heads: list[str] = []

    def note(peer: Peer) -> None:
        heads.append(peer.open())
        peer.consent()

    def flap(peer: Peer) -> None:
        note(peer)
        wait_until(lambda: client.is_connected)

    def stay(peer: Peer) -> None:
        note(peer)
        peer.until_gone()

    options = {"headers": {"X-Tenant": "a b"}, "origin": "https://crm.example.test"}
    with RawServer(flap, stay) as server:
        client = make_client(server.url, None, **options)
        client._core.start()
        wait_until(lambda: client.stats.reconnects)
        assert_closes(client)

    assert len(heads) == 2
    for head in heads:
        lines = head.split("\r\n")
        assert lines.count("X-Tenant: a b") == 1
        assert [line for line in lines if line.startswith("Origin:")] == [
            "Origin: https://crm.example.test"
        ]


def test_a_client_is_not_started_twice_over(
    server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that is connected again at the moment it fails keeps its queues open."""
    server.refuse(503)
    client = make_client(server.url)
    core, gate = client._core, Gate()
    told = core.connection._on_end

    def tell(error: EvolutionError | None) -> None:
        gate()
        told(error)

    monkeypatch.setattr(core.connection, "_on_end", tell)
    failing = in_thread(client.connect)
    gate.wait_entered()
    server.refuse(None)
    again = in_thread(client.get)
    wait_until(lambda: len(core.connection._watchers) == 2)
    gate.release()
    with pytest.raises(ConnectError):
        failing.result()
    monkeypatch.undo()
    server.wait_for_client("sales")
    server.emit("messages.upsert", {"seq": 1})

    assert again.result().data == {"seq": 1}
    assert_closes(client)
