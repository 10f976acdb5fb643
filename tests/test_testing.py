"""The embedded server as users see it: events, namespaces, fixtures."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import socketio

import evolution_ws.testing
from evolution_ws.events import Event
from evolution_ws.testing import FakeEvolutionServer
from evolution_ws.testing.plugin import (  # noqa: F401 - fixtures
    evolution_server,
    evolution_server_factory,
)
from tests.fake_server_tools import CEILING, RawClient, rest


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Return a started server with the instances sales and support."""
    with FakeEvolutionServer(instances=("sales", "support")) as server:
        yield server


def test_server_talks_to_a_stock_client(server: FakeEvolutionServer) -> None:
    """python-socketio joins, receives text and binary events in order, and emits."""
    client = socketio.Client(reconnection=False, handle_sigint=False)
    seen: queue.SimpleQueue[dict[str, object]] = queue.SimpleQueue()
    client.on("messages.upsert", seen.put, namespace="/sales")
    client.connect(
        server.url, namespaces=["/", "/sales"], transports=["websocket"], wait_timeout=CEILING
    )

    server.emit("messages.upsert", {"n": 1})
    first = seen.get(timeout=CEILING)
    server.emit("messages.upsert", {"n": b"\x00\xff"})
    second = seen.get(timeout=CEILING)
    client.emit("hello", {"raw": b"abc"}, namespace="/sales")
    emitted = server.wait_for_emit()
    client.disconnect()

    assert [first["data"], second["data"]] == [{"n": 1}, {"n": b"\x00\xff"}]
    assert emitted == [("/sales", "hello", [{"raw": b"abc"}])]


def test_emit_returns_the_envelope_that_is_sent(server: FakeEvolutionServer) -> None:
    """The envelope has the keys of a real one, in their order."""
    with RawClient(server, "/sales") as client:
        envelope = server.emit("messages.set", [], isLatest=True)
        received = client.text()

    assert received[:9] == "42/sales,"
    assert ["messages.set", envelope] == json.loads(received[9:])
    assert list(envelope) == [
        "isLatest", "event", "instance", "data", "server_url", "date_time", "sender", "apikey",
    ]  # fmt: skip
    assert server.url == envelope["server_url"]
    assert envelope["apikey"] is None


def test_emit_exposes_the_instance_token_when_told(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
) -> None:
    """A badly configured server sends the token of the instance."""
    server = evolution_server_factory(expose_keys=True, server_url="https://api.example.com")

    envelope = server.emit("call", {})

    assert server.instances["test"].token == envelope["apikey"]
    assert envelope["server_url"] == "https://api.example.com"


def test_emit_leaves_the_sender_out_before_the_first_login(server: FakeEvolutionServer) -> None:
    """Without an owner there is no sender."""
    server.instances["sales"].owner = None

    assert "sender" not in server.emit("call", {})


def test_emit_takes_the_other_instance(server: FakeEvolutionServer) -> None:
    """An event goes to the namespace of its instance alone."""
    with RawClient(server, "/sales", "/support") as client:
        server.emit("call", 1, instance="support")
        server.emit("call", 2)
        texts = [client.text(), client.text()]

    assert [texts[0][:11], texts[1][:10]] == ["42/support,", "42/sales,["]


def test_emit_refuses_an_instance_that_does_not_exist(server: FakeEvolutionServer) -> None:
    """A mistyped instance is an error and not silence."""
    with pytest.raises(ValueError, match="no instance 'nope'"):
        server.emit("call", {}, instance="nope")


@pytest.mark.parametrize(
    "event",
    [
        {"event": "call", "instance": "sales", "data": [1], "sender": "5511@s", "apikey": None},
        Event("call", instance="sales", data=[1], sender="5511@s"),
    ],
    ids=["envelope", "event"],
)
def test_emit_sends_ready_made_events_as_they_are(
    server: FakeEvolutionServer, event: Mapping[str, object] | Event
) -> None:
    """An envelope or an Event arrives unchanged."""
    with RawClient(server, "/sales") as client:
        server.emit(event)
        received = json.loads(client.text()[9:])

    wanted = {"event": "call", "instance": "sales", "data": [1], "sender": "5511@s", "apikey": None}
    assert ["call", wanted] == received


def test_emit_moves_a_ready_made_event_to_another_instance(server: FakeEvolutionServer) -> None:
    """An instance given by name wins over the envelope's."""
    envelope = server.emit({"event": "call", "instance": "x", "data": 1}, instance="support")

    assert envelope["instance"] == "support"


@pytest.mark.parametrize("event", [{"data": 1}, 7], ids=["mapping", "number"])
def test_emit_refuses_what_is_no_event(server: FakeEvolutionServer, event: Any) -> None:
    """Something else than a name, an envelope or an Event is a TypeError."""
    with pytest.raises(TypeError, match=r"envelope"):
        server.emit(event)


def test_emit_refuses_data_that_cannot_travel(server: FakeEvolutionServer) -> None:
    """What is neither JSON nor bytes is refused by its type."""
    with RawClient(server, "/sales"), pytest.raises(TypeError, match="set cannot be sent"):
        server.emit("call", {1, 2})


def test_emit_keeps_the_order_of_several_threads(server: FakeEvolutionServer) -> None:
    """Events of one thread stay in order, text and binary alike, and none is lost."""

    def emit(thread: int) -> None:
        for number in range(200):
            server.emit("call", [thread, number, b"x" * (number % 2)])

    with RawClient(server, "/sales") as client:
        threads = [threading.Thread(target=emit, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        seen: list[tuple[int, int]] = []
        while len(seen) < 600:
            message = client.text()
            pair = json.loads(message[message.index("[") :])[1]["data"][:2]
            seen.append((pair[0], pair[1]))
            assert client.read() == b"x" * (pair[1] % 2)
        for thread in threads:
            thread.join()

    assert [list(range(200))] * 3 == [[n for t, n in seen if t == thread] for thread in range(3)]


def test_emit_escapes_half_a_surrogate_pair(server: FakeEvolutionServer) -> None:
    """Text that is no Unicode travels escaped, as JavaScript writes it."""
    with RawClient(server, "/sales") as client:
        server.emit("call", "ação \ud83d")
        received = client.text()

    assert json.loads(received[9:])[1]["data"] == "ação \ud83d"


def test_emit_raw_puts_anything_on_the_wire(server: FakeEvolutionServer) -> None:
    """Frames arrive unchanged, at those who are meant."""
    with RawClient(server, "/sales") as first, RawClient(server, "/support") as second:
        server.emit_raw(["garbage", b"\x01"], namespace="/sales")
        server.emit_raw("7", sid=server.clients[1].sid)
        server.emit_raw(b"\x81\x01A", sid=server.clients[1].sid, tcp=True)

        assert [first.read(), first.read()] == ["garbage", b"\x01"]
        assert [second.read(), second.read()] == ["7", "A"]


def test_global_mode_sends_everything_to_the_root_first(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
) -> None:
    """Each event comes on / and then on the namespace; unselected ones on / alone."""
    server = evolution_server_factory(global_events=True)
    server.instances["test"].set_websocket(True, ["CALL"])
    with RawClient(server, "/", "/test") as client:
        server.emit("call", 1)
        server.emit("presence.update", 2)
        server.emit("call", 3)
        texts = [client.text() for _ in range(5)]

    assert [text[:9] for text in texts] == [
        '42["call"',
        "42/test,[",
        '42["prese',
        '42["call"',
        "42/test,[",
    ]


def test_version_1_doubles_selected_events_on_the_root(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
) -> None:
    """Version 1.8 in global mode sends selected events on / twice, others once."""
    server = evolution_server_factory(global_events=True, v1=True, api_key="global-key")
    with RawClient(server, "/") as client:
        server.emit("call", 1)
        server.emit("instance.create", 2)
        data = [json.loads(client.text()[2:])[1]["data"] for _ in range(3)]

    assert data == [1, 1, 2]
    assert "apikey" not in server.emit("call", 1)


def test_namespaces_come_with_the_first_selected_event(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
) -> None:
    """A lazy server refuses a join before, sends the creating event to nobody, and joins then."""
    server = evolution_server_factory(lazy=True)
    server.instances["test"].set_websocket(True, ["CALL"])
    refusal = '44/test,{"message":"Invalid namespace"}'
    with RawClient(server, "/") as client:
        client.send("40/test,")
        assert refusal == client.text()
        server.emit("presence.update", "not selected")
        client.send("40/test,")
        assert refusal == client.text()
        server.emit("call", "creates")
        client.send("40/test,")
        assert client.text().startswith("40/test,")
        server.emit("call", "arrives")
        received = json.loads(client.text()[8:])

    assert received[1]["data"] == "arrives"


def test_namespaces_can_be_made_without_an_event(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
) -> None:
    """create_namespace() and add_instance() spare tests the first event."""
    server = evolution_server_factory(lazy=True)
    server.create_namespace("test")
    server.add_instance("later")
    assert {"/", "/test"} == server.namespaces

    server.lazy = False
    added = server.add_instance("now", token="invented", websocket=None)

    assert {"/", "/test", "/now"} == server.namespaces
    assert added.token == "invented"


def test_fixture_is_a_started_server(evolution_server: FakeEvolutionServer) -> None:  # noqa: F811
    """The plugin's fixture runs, with the instance test."""
    assert list(evolution_server.instances) == ["test"]
    assert rest(evolution_server, "GET", "/").status_code == 200


def test_plugin_imports_nothing_heavy() -> None:
    """Loading the plugin does not load the server."""
    script = "import sys, evolution_ws.testing.plugin as p; print('websockets' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.stdout, done.stderr) == ("False\n", "")


def test_package_exports_the_server_and_no_more() -> None:
    """Names are imported on demand; an unknown one is an AttributeError."""
    exported = {name: getattr(evolution_ws.testing, name) for name in evolution_ws.testing.__all__}

    assert FakeEvolutionServer is exported["FakeEvolutionServer"]
    with pytest.raises(AttributeError, match="nope"):
        _ = evolution_ws.testing.nope


@pytest.mark.parametrize(
    ("missing", "said"),
    [("h11", "the embedded server needs h11: pip install"), ("attrs", "attrs")],
    ids=["extra", "other"],
)
def test_package_says_what_to_install(missing: str, said: str) -> None:
    """Without the extra the import error names it; other trouble is passed on."""
    script = f"""
import sys
import evolution_ws.testing
sys.modules[{missing!r}] = None
try:
    evolution_ws.testing.FakeEvolutionServer
except ImportError as exc:
    print(exc)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert said in done.stdout
