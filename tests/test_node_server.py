"""The Node test server keeps Evolution's rules, seen with raw websocket frames."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.node_server import NodeServer, NodeServerError, require_node


WAIT = 10.0  # a ceiling, not an expectation


@pytest.fixture(scope="module")
def server() -> Iterator[NodeServer]:
    """Give a running server without a key."""
    require_node()
    with NodeServer() as running:
        yield running


@contextlib.contextmanager
def open_wire(server: NodeServer, query: str = "", **headers: str) -> Iterator[ClientConnection]:
    """Open a websocket to the server and read the engine.io handshake."""
    url = server.url.replace("http", "ws") + f"/socket.io/?EIO=4&transport=websocket{query}"
    with connect(url, additional_headers=headers, max_size=None, compression=None) as wire:
        assert str(wire.recv(WAIT)).startswith("0{")
        yield wire


def join(wire: ClientConnection, namespace: str) -> str:
    """Ask for a namespace and return the answer."""
    wire.send("40" if namespace == "/" else f"40{namespace},")
    return str(wire.recv(WAIT))


def read_event(wire: ClientConnection, prefix: str) -> list[Any]:
    """Read one text event and return its arguments."""
    frame = str(wire.recv(WAIT))
    assert frame[: len(prefix)] == prefix
    decoded: list[Any] = json.loads(frame[len(prefix) :])
    return decoded


def refusal(server: NodeServer, **headers: str) -> tuple[int, bytes]:
    """Return status and body of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as caught, open_wire(server, **headers):
        pass
    response = caught.value.response
    return response.status_code, bytes(response.body or b"")


def test_namespace_appears_with_its_first_event(server: NodeServer) -> None:
    """A namespace is refused until an event creates it, and that event reaches nobody."""
    with open_wire(server) as wire:
        join(wire, "/")
        refused = join(wire, "/lazy")
        server.emit("messages.upsert", {"n": 1}, instance="lazy")
        joined = join(wire, "/lazy")
        server.emit("messages.upsert", {"n": 2}, instance="lazy")
        name, envelope = read_event(wire, "42/lazy,")

    assert refused == '44/lazy,{"message":"Invalid namespace"}'
    assert joined.startswith('40/lazy,{"sid"')
    assert (name, envelope["data"]) == ("messages.upsert", {"n": 2})
    assert list(envelope) == ["event", "instance", "data", "server_url", "date_time", "apikey"]


def test_envelope_carries_what_it_is_told(server: NodeServer) -> None:
    """Extra keys come first, sender before apikey, as on the real server."""
    server.create_namespace("told")
    with open_wire(server) as wire:
        join(wire, "/told")
        server.emit(
            "messages.set", [], instance="told", sender="55@x", apikey="t", extra={"isLatest": True}
        )
        _, envelope = read_event(wire, "42/told,")

    assert tuple(envelope)[:2] == ("isLatest", "event")
    assert (envelope["isLatest"], envelope["sender"], envelope["apikey"]) == (True, "55@x", "t")


def test_bytes_travel_as_attachments(server: NodeServer) -> None:
    """Bytes in the data become binary frames behind a placeholder."""
    server.create_namespace("bytes")
    with open_wire(server) as wire:
        join(wire, "/bytes")
        server.emit("messages.upsert", {"a": b"one", "b": [b"two"]}, instance="bytes")
        frames = [wire.recv(WAIT) for _ in range(3)]

    assert str(frames[0]).startswith('452-/bytes,["messages.upsert"')
    assert frames[1:] == [b"one", b"two"]


@pytest.mark.parametrize("kind", ["text", "media", "mixed"])
def test_prepared_burst_equals_an_emitted_one(server: NodeServer, kind: str) -> None:
    """The prepared frames are those that socket.io makes of the same events."""
    shape: dict[str, Any] = {"instances": ["prepared"], "kind": kind, "size": 3000, "first": 7}
    server.create_namespace("prepared")
    server.prepare("p", 6, **shape)
    with open_wire(server) as wire:
        join(wire, "/prepared")
        server.burst(6, **shape)
        count = 6 + (6 if kind == "mixed" else 0)
        emitted = [wire.recv(WAIT) for _ in range(count)]
        fired = server.fire("p")
        prepared = [wire.recv(WAIT) for _ in range(count)]

    assert fired == 1
    assert [_without_clock(frame) for frame in emitted] == [
        _without_clock(frame) for frame in prepared
    ]


def _without_clock(frame: str | bytes) -> Any:
    if isinstance(frame, bytes):
        return frame
    head, _, body = frame.partition("[")
    name, envelope = json.loads("[" + body)
    envelope.pop("date_time")
    envelope["data"].pop("sent", None)
    return head, name, envelope


@pytest.mark.parametrize("size", [1000, 200_000])
def test_burst_has_the_wanted_size(server: NodeServer, size: int) -> None:
    """The size of an event on the wire is about what was asked for."""
    sent = server.prepare("sized", 10, instances=["i"], kind="media", size=size)

    assert pytest.approx(10 * size, rel=0.1) == sent


def test_paced_burst_carries_the_time_of_sending(server: NodeServer) -> None:
    """A paced burst runs in the background and tells when each event was sent."""
    server.create_namespace("paced")
    with open_wire(server) as wire:
        join(wire, "/paced")
        before = time.monotonic()
        server.burst(5, instances=["paced"], rate=200, wait=False)
        events = [read_event(wire, "42/paced,")[1]["data"] for _ in range(5)]
        after = time.monotonic()

    times = [event["sent"] for event in events]
    assert [event["seq"] for event in events] == [0, 1, 2, 3, 4]
    assert sorted(times) == times
    assert before <= times[0]
    assert times[-1] <= after


def test_global_mode_sends_twice() -> None:
    """In global mode "/" gets everything first, also what the namespace does not."""
    require_node()
    with NodeServer(global_events=True, lookup_delay=0.01) as server:
        server.create_namespace("g")
        server.configure("g", events=["MESSAGES_UPSERT"])
        with open_wire(server) as wire:
            join(wire, "/")
            join(wire, "/g")
            server.emit("messages.upsert", 1, instance="g")
            server.emit("groups.update", 2, instance="g")
            server.emit("call", 3, instance="g")
            frames = [str(wire.recv(WAIT)) for _ in range(4)]

    heads = [frame.partition(",")[0] for frame in frames]
    assert heads == ['42["messages.upsert"', "42/g", '42["groups.update"', '42["call"']


def test_samples_go_to_their_own_namespaces(server: NodeServer, tmp_path: Path) -> None:
    """Envelopes from files are sent as they are, bytes included; other files are left alone."""
    envelope = {"event": "call", "instance": "s", "data": {"raw": {"$bytes": "aGk="}}}
    (tmp_path / "call.json").write_text(json.dumps(envelope))
    (tmp_path / "_index.json").write_text("[]")
    server.create_namespace("s")
    with open_wire(server) as wire:
        join(wire, "/s")
        files = server.send_samples(tmp_path)
        header, attachment = wire.recv(WAIT), wire.recv(WAIT)

    assert [path.name for path in files] == ["call.json"]
    assert str(header).startswith('451-/s,["call",{"event":"call","instance":"s"')
    assert attachment == b"hi"


def test_key_is_asked_for() -> None:
    """A handshake without the key, or with a wrong one, gets a 400 that says why."""
    require_node()
    with NodeServer(api_key="right") as server:
        missing = refusal(server)
        wrong = refusal(server, apikey="wrong")
        with open_wire(server, apikey="right"):
            by_header = server.stats()["keyIn"]
        with open_wire(server, "&apikey=right", apikey="wrong"):
            stats = server.stats()

    assert missing == (400, b"apiKey is required")
    assert wrong == (400, b"Invalid global token")
    assert (by_header, stats["keyIn"], stats["refused"]) == ("header", "query", 2)


def test_handshakes_are_refused_on_demand(server: NodeServer) -> None:
    """A refusal holds until it is taken back."""
    server.refuse("Authentication error")
    refused = refusal(server)
    server.refuse(None)
    with open_wire(server):
        pass

    assert refused == (400, b"Authentication error")


def test_disabled_websocket_answers_404() -> None:
    """With the websocket off there is nothing at /socket.io/."""
    require_node()
    with NodeServer(websocket_enabled=False) as server:
        status, _ = refusal(server)

    assert status == 404


def test_emits_of_clients_are_kept(server: NodeServer) -> None:
    """What clients emit is recorded with its bytes; it is acknowledged only on demand."""
    with open_wire(server) as wire:
        join(wire, "/")
        server.received()
        wire.send('421["quiet"]')
        server.wait_until(lambda stats: stats["received"] >= 1)
        server.acknowledge("echo")
        wire.send('451-2["loud",{"_placeholder":true,"num":0}]')
        wire.send(b"zz")
        answer = [wire.recv(WAIT), wire.recv(WAIT)]
        server.acknowledge("none")

    assert answer == ['461-2[{"_placeholder":true,"num":0}]', b"zz"]
    assert [(event["event"], event["args"]) for event in server.received()] == [
        ("quiet", []),
        ("loud", [b"zz"]),
    ]


def test_greeting_comes_with_the_join(server: NodeServer) -> None:
    """A greeting is sent to whoever joins the instance's namespace, at once."""
    server.create_namespace("greeted")
    server.greet("call", {"seq": 0}, instance="greeted")
    with open_wire(server) as wire:
        join(wire, "/greeted")
        name, envelope = read_event(wire, "42/greeted,")

    assert (name, envelope["data"]) == ("call", {"seq": 0})


def test_kick_leaves_a_namespace_or_ends_the_connection(server: NodeServer) -> None:
    """A kick sends a disconnect packet; with close it ends the whole connection."""
    server.create_namespace("kicked")
    with open_wire(server) as wire:
        join(wire, "/")
        join(wire, "/kicked")
        server.kick("/kicked")
        left = wire.recv(WAIT)
        server.kick("/", close=True)
        with pytest.raises(ConnectionClosed):
            read_all(wire)

    assert left == "41/kicked,"


def read_all(wire: ClientConnection) -> None:
    """Read until the connection ends."""
    while True:
        wire.recv(WAIT)


def test_drop_and_close_end_connections(server: NodeServer) -> None:
    """A dropped connection ends without a close frame, a closed one with it."""
    with open_wire(server) as dropped:
        join(dropped, "/")
        assert server.drop() >= 1
        with pytest.raises(ConnectionClosed) as abrupt:
            read_all(dropped)
    with open_wire(server) as closed:
        join(closed, "/")
        server.close_transports()
        with pytest.raises(ConnectionClosed) as orderly:
            read_all(closed)

    assert abrupt.value.rcvd is None
    assert orderly.value.rcvd is not None


def test_restart_forgets_the_namespaces() -> None:
    """After a restart the port is the same and no namespace but "/" exists."""
    require_node()
    with NodeServer() as server:
        server.create_namespace("gone")
        url, pid = server.url, server.pid
        with open_wire(server) as wire:
            join(wire, "/")
            server.wait_for_clients("/")
            server.restart()
            with pytest.raises(ConnectionClosed):
                read_all(wire)
        with open_wire(server) as wire:
            refused, restarted = join(wire, "/gone"), server.pid

    assert refused.startswith("44/gone")
    assert url == server.url
    assert pid != restarted


def test_frozen_server_answers_nothing(server: NodeServer) -> None:
    """A frozen server answers again after the thaw, and late answers are not mixed up."""
    with server.frozen(), pytest.raises(TimeoutError):
        server.command("received", answer_timeout=0.05)

    assert "connections" in server.stats()


def test_wait_until_gives_up(server: NodeServer) -> None:
    """A condition that never holds ends in a TimeoutError."""
    with pytest.raises(TimeoutError, match="not within"):
        server.wait_until(lambda stats: False, timeout=0.02)


def test_wrong_command_is_an_error(server: NodeServer) -> None:
    """An unknown command raises and leaves the server running."""
    with pytest.raises(NodeServerError, match="not a function"):
        server.command("nonsense")

    assert server.clients("/nowhere") == 0


def test_stopped_server_is_an_error() -> None:
    """Commands without a running process raise; stopping twice does nothing."""
    server = NodeServer()
    server.stop()

    with pytest.raises(NodeServerError, match="not running"):
        server.stats()
