"""The client against the real thing: socket.io 4.8 on Node, with Evolution's rules."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from evolution_ws import AuthenticationError, NamespaceState, WebsocketDisabledError
from evolution_ws.testing import build
from tests.core_tools import assert_closes, make_client, seqs
from tests.helpers import in_thread, wait_until
from tests.node_server import NodeServer, require_node
from tests.samples import NAMES, load


pytestmark = pytest.mark.usefixtures("node")

MEDIA_BYTES = 32


@pytest.fixture(scope="module")
def node() -> str:
    """Return node's path, or skip what needs it."""
    return require_node()


@pytest.fixture(scope="module")
def server(node: str) -> Iterator[NodeServer]:
    """Return a server that all tests share; the instance ``sales`` has emitted before."""
    with NodeServer() as server:
        server.create_namespace("sales")
        yield server


@contextmanager
def hardship() -> Iterator[None]:
    """Make threads change places all the time, and keep one of them busy computing."""
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            sum(range(1_000))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    busy = in_thread(compute)
    try:
        yield
    finally:
        stop.set()
        busy.result()
        sys.setswitchinterval(interval)


def assert_intact(event: Any) -> None:
    """Demand that the attachments of a numbered event are its own."""
    info = event.data["message"]["messageContextInfo"]
    for index, number in enumerate(sorted(key for key in info if key.startswith("bytes"))):
        expected = event.data["seq"].to_bytes(4, "big") + bytes([index]) * (MEDIA_BYTES - 4)
        assert info[number] == expected


# Contents


def test_every_sample_survives_the_trip(server: NodeServer) -> None:
    """Envelopes of every kind and server version arrive unchanged, bytes included."""
    envelopes = [load(name) for name in NAMES]
    instances = sorted({envelope["instance"] for envelope in envelopes})
    server.create_namespace(*instances)
    with make_client(server.url, instances) as client:
        for envelope in envelopes:
            server.emit_raw(f"/{envelope['instance']}", envelope["event"], envelope)
        got = list(client.events(limit=len(envelopes), timeout=10))

        assert len(got) == len(NAMES)
        by_instance: dict[str, list[Any]] = {}
        for envelope in envelopes:
            by_instance.setdefault(envelope["instance"], []).append(envelope)
        for event in got:
            envelope = by_instance[event.instance].pop(0)
            assert event.type == envelope["event"]
            assert event.data == envelope.get("data")
            assert event.sender == envelope.get("sender")
            assert event.api_key == envelope.get("apikey")
        assert client.stats.malformed == 0


def test_data_of_every_shape(server: NodeServer) -> None:
    """Text in every script, numbers, nothing, and bytes at any depth arrive as they are."""
    data = [
        {"text": "Olá ação ñ 漢字 🙂 \u2028 \x00", "n": [0, -1, 2**53, 1.5, None, True]},
        {"deep": [[[{"bytes": b"\x00\xff"}], b""]], "again": b"x" * 70_000},
        None,
        [],
        "text",
        {"empty": {}},
    ]
    with make_client(server.url) as client:
        for item in data:
            server.emit("messages.upsert", item, instance="sales")

        assert [event.data for event in client.events(limit=len(data))] == data


# Order


MANY = 3_000


def test_order_in_a_loop(server: NodeServer) -> None:
    """Thousands of text and binary events come in order and whole, under hardship."""
    with make_client(server.url) as client, hardship():
        server.burst(MANY, instances=["sales"], kind="mixed", size=2_000, wait=False)
        got = list(client.events(limit=MANY, timeout=20))

    assert seqs(got) == list(range(MANY))
    for event in got:
        assert_intact(event)


def test_order_in_a_callback(server: NodeServer) -> None:
    """Callbacks run in the order of the wire, under hardship."""
    got: list[Any] = []
    client = make_client(server.url)
    client.on("messages.upsert", callback=got.append)
    with client, hardship():
        server.burst(MANY, instances=["sales"], kind="mixed", size=2_000)
        wait_until(lambda: len(got) == MANY, 30)

    assert seqs(got) == list(range(MANY))
    for event in got:
        assert_intact(event)


def test_order_in_threads_that_share_a_subscription(server: NodeServer) -> None:
    """Two threads share the events: each gets its share in order, nothing comes twice."""
    with make_client(server.url) as client, hardship():
        stream = client.subscribe()
        tasks = [in_thread(lambda: list(stream.events(timeout=20))) for _ in range(2)]
        server.burst(MANY, instances=["sales"], kind="mixed", size=2_000)
        wait_until(lambda: client.stats.delivered == MANY, 30)
        stream.close()
        shares = [task.result() for task in tasks]

    assert sorted(seqs(list(itertools.chain(*shares)))) == list(range(MANY))
    for share in shares:
        assert seqs(share) == sorted(seqs(share))
        for event in share:
            assert_intact(event)


def test_a_slow_consumer_holds_no_more_than_the_limit(server: NodeServer) -> None:
    """Whatever the server sends, memory stays at the bound and the newest events are kept."""
    with make_client(server.url, queue_size=100, queue_bytes=1_000_000) as client:
        server.burst(1_000, instances=["sales"], size=5_000)
        before = psutil.Process().memory_info().rss
        server.burst(3_000, instances=["sales"], size=5_000, first=1_000)
        wait_until(lambda: client.stats.received == 4_000, 30)
        grown = psutil.Process().memory_info().rss - before
        stats = client.stats
        kept = seqs(list(client.events(timeout=0)))

    assert grown < 10_000_000
    assert stats.queue_bytes <= 1_000_000
    assert stats.dropped == 4_000 - len(kept)
    assert kept == list(range(4_000 - len(kept), 4_000))


# Namespaces


def test_a_namespace_comes_into_being(server: NodeServer) -> None:
    """A namespace that does not exist yet is pending, and is joined when it does."""
    with make_client(server.url, ["sales", "new"]) as client:
        assert client.namespaces["/new"] is NamespaceState.PENDING
        assert client.namespaces["/sales"] is NamespaceState.JOINED
        server.emit("messages.upsert", {"seq": 0}, instance="new")  # reaches nobody
        wait_until(lambda: client.namespaces["/new"] is NamespaceState.JOINED)
        server.emit("messages.upsert", {"seq": 1}, instance="new")
        server.emit("messages.upsert", {"seq": 2}, instance="sales")

        assert seqs(list(client.events(limit=2))) == [1, 2]
        assert client.stats.reconnects == 0


def test_a_restart_forgets_namespaces(node: str) -> None:
    """After a restart the client is back, its namespaces pending until they exist again."""
    with NodeServer() as server, make_client(server.url) as client:
        server.restart()
        wait_until(lambda: client.stats.reconnects)
        wait_until(lambda: client.namespaces["/sales"] is NamespaceState.PENDING)
        server.create_namespace("sales")
        wait_until(lambda: client.namespaces["/sales"] is NamespaceState.JOINED)
        server.emit("messages.upsert", {"seq": 1}, instance="sales")

        assert client.get(10).data == {"seq": 1}


@pytest.mark.parametrize("close", [False, True], ids=["namespace", "connection"])
def test_a_kick(server: NodeServer, close: bool) -> None:
    """Clients that the server throws out are back by themselves."""
    with make_client(server.url) as client:
        server.kick("/sales", close=close)
        wait_until(
            lambda: (
                client.stats.reconnects or client.namespaces["/sales"] is not NamespaceState.JOINED
            )
        )
        server.wait_for_clients("/sales")
        server.emit("messages.upsert", {"seq": 1}, instance="sales")

        assert client.get(10).data == {"seq": 1}
        wait_until(lambda: client.stats.reconnects == close)  # counted once all joins are answered


@pytest.mark.parametrize("how", ["drop", "close_transports"])
def test_a_lost_connection(server: NodeServer, how: str) -> None:
    """A connection that is reset, or closed in an orderly way, is replaced."""
    with make_client(server.url) as client:
        getattr(server, how)()
        wait_until(lambda: client.stats.reconnects == 1)
        server.wait_for_clients("/sales")
        server.emit("messages.upsert", {"seq": 1}, instance="sales")

        assert client.get(10).data == {"seq": 1}


def test_a_frozen_server_is_noticed(node: str) -> None:
    """A process that stands still is noticed by the missing ping."""
    with NodeServer(pingInterval=300, pingTimeout=300) as server:
        server.create_namespace("sales")
        with make_client(server.url) as client:
            with server.frozen():
                wait_until(lambda: not client.is_connected)
            wait_until(lambda: client.stats.reconnects)
            server.emit("messages.upsert", {"seq": 1}, instance="sales")


# Global mode


@pytest.mark.parametrize(
    ("options", "duplicates"),
    [({}, 150), ({"global_events": True}, 0), ({"global_events": False}, None)],
    ids=["detected", "told", "avoided"],
)
def test_global_mode_delivers_once(
    node: str, options: dict[str, Any], duplicates: int | None
) -> None:
    """Where each event comes on "/" and on its namespace, it is delivered once, in order."""
    with NodeServer(global_events=True, lookup_delay=0.001) as server:
        server.create_namespace("sales", "other")
        with make_client(server.url, **options) as client:
            wait_until(lambda: client.namespaces.get("/") is not None)
            if duplicates is None:
                wait_until(lambda: server.clients("/") == 0)
            server.burst(300, instances=["sales", "other"], kind="mixed", size=500)
            got = list(client.events(limit=150, timeout=10))
            wait_until(lambda: duplicates is None or client.stats.duplicates == duplicates)

            assert seqs(got) == list(range(0, 300, 2))
            assert {event.instance for event in got} == {"sales"}
            assert list(client.events(timeout=0)) == []


def test_all_instances(node: str) -> None:
    """A client of every instance gets them all over "/", in order."""
    with NodeServer(global_events=True) as server, make_client(server.url, "*") as client:
        server.burst(300, instances=["a", "b", "c"], kind="mixed", size=500)
        got = list(client.events(limit=300, timeout=10))

    assert seqs(got) == list(range(300))
    assert {event.instance for event in got} == {"a", "b", "c"}


# Emitting


def test_emits_of_eight_threads_arrive_whole(server: NodeServer) -> None:
    """Text and binary events of many threads arrive unmixed, each thread's in its order."""
    with make_client(server.url) as client:

        def emit(number: int) -> None:
            for seq in range(100):
                blob = bytes([number, seq]) * 20
                client.emit("x", {"n": number, "seq": seq, "blob": blob if seq % 2 else None})

        with hardship():
            for task in [in_thread(emit, number) for number in range(8)]:
                task.result(30)
        server.wait_until(lambda stats: stats["received"] == 800)
        got = [event["args"][0] for event in server.received()]

    for number in range(8):
        mine = [data for data in got if data["n"] == number]
        assert [data["seq"] for data in mine] == list(range(100))
        blobs = [data["blob"] for data in mine[1::2]]
        assert blobs == [bytes([number, seq]) * 20 for seq in range(1, 100, 2)]


def test_close_sends_what_was_emitted(server: NodeServer) -> None:
    """Emits followed at once by close() arrive, also while events flood in."""
    for _ in range(3):
        client = make_client(server.url).connect()
        server.burst(2_000, instances=["sales"], size=1_000, wait=False)
        for seq in range(100):
            client.emit("x", {"seq": seq, "filler": "y" * 5_000})
        assert_closes(client)
        server.wait_until(lambda stats: stats["received"] == 100)

        assert [event["args"][0]["seq"] for event in server.received()] == list(range(100))


def test_calls_are_acknowledged(server: NodeServer) -> None:
    """call() returns what the server acknowledged, bytes included."""
    server.acknowledge("echo")
    with make_client(server.url) as client:
        assert client.call("ask", {"text": "é", "bytes": b"\x00\xff"}, timeout=10) == {
            "text": "é",
            "bytes": b"\x00\xff",
        }
        assert client.call("ask", ("a", 2), timeout=10) == ("a", 2)
        tasks = [in_thread(client.call, "ask", number) for number in range(50)]
        assert [task.result() for task in tasks] == list(range(50))


# Refusals


def test_keys(node: str) -> None:
    """The right key is let in; a wrong one, or none, is refused at once and for good."""
    with NodeServer(api_key="right-key-0001") as server:
        server.create_namespace("sales")
        for key in ("wrong-key-0002", None):
            begin = time.monotonic()
            with pytest.raises(AuthenticationError):
                make_client(server.url, api_key=key).connect(30)
            assert time.monotonic() - begin < 5
        with make_client(server.url, api_key="right-key-0001") as client:
            assert client.is_connected


def test_a_server_without_websocket(node: str) -> None:
    """Where the server's websocket is off, the error says so."""
    with NodeServer(websocket_enabled=False) as server, pytest.raises(WebsocketDisabledError):
        make_client(server.url).connect(30)


def test_events_built_for_tests_travel_too(server: NodeServer) -> None:
    """What the builders make goes over a real server and comes back equal in substance."""
    event = build.text("Olá", instance="sales")
    with make_client(server.url) as client:
        server.emit(event.type, event.data, instance="sales")

        assert client.get(10).message.text == "Olá"
