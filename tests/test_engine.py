"""
What is relied upon in python-socketio, python-engineio and websocket-client.

Where one of these tests fails after an upgrade, its text says which extension point has
changed, and which part of :mod:`evolution_ws._engine` or :mod:`evolution_ws._websocket` to adapt.
"""

from __future__ import annotations

import inspect
import logging
import signal
import threading
from collections.abc import Callable
from typing import Any

import engineio
import engineio.base_client
import engineio.packet
import pytest
import socketio
import socketio.packet
import websocket
from websocket import ABNF

from evolution_ws import ConnectionState
from evolution_ws._engine import Packet, Session, encode_event
from evolution_ws._websocket import EventSocket
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import make_client
from tests.helpers import wait_until


def parameters(function: Callable[..., Any]) -> set[str]:
    """Return the names of a function's parameters."""
    return set(inspect.signature(function).parameters)


CLIENT_OPTIONS = {"reconnection", "logger"}
ENGINE_OPTIONS = {
    "logger",
    "handle_sigint",
    "request_timeout",
    "timestamp_requests",
    "websocket_extra_options",
}
CONNECT_OPTIONS = {"url", "headers", "transports", "namespaces", "socketio_path", "wait"}


@pytest.mark.parametrize(
    ("function", "needed"),
    [
        pytest.param(socketio.Client.__init__, CLIENT_OPTIONS, id="socketio.Client"),
        pytest.param(engineio.Client.__init__, ENGINE_OPTIONS, id="engineio.Client"),
        pytest.param(socketio.Client.connect, CONNECT_OPTIONS, id="socketio.Client.connect"),
        pytest.param(engineio.Client.start_background_task, {"target"}, id="start_background_task"),
        pytest.param(engineio.Client.send, {"data"}, id="engineio.Client.send"),
        pytest.param(engineio.Client.disconnect, {"abort"}, id="engineio.Client.disconnect"),
        pytest.param(socketio.packet.Packet.__init__, {"data", "namespace", "id"}, id="Packet"),
        pytest.param(websocket.WebSocket.connect, {"url", "options"}, id="WebSocket.connect"),
        pytest.param(websocket.WebSocket._recv, {"bufsize"}, id="WebSocket._recv"),
        pytest.param(websocket.WebSocket._send, {"data"}, id="WebSocket._send"),
        pytest.param(websocket.create_connection, {"class_"}, id="create_connection"),
    ],
)
def test_upstream_still_takes_what_is_passed(
    function: Callable[..., Any], needed: set[str]
) -> None:
    """Each option that is passed upstream has a parameter there."""
    missing = needed - parameters(function)
    assert not missing, f"{function.__qualname__} takes no {missing} any more: adapt _engine.py"


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        pytest.param(
            websocket.WebSocket,
            [
                "recv",
                "recv_frame",
                "pong",
                "send_close",
                "settimeout",
                "shutdown",
                "_recv",
                "_send",
            ],
            id="WebSocket",
        ),
        pytest.param(engineio.base_client, ["connected_clients"], id="engineio.base_client"),
        pytest.param(socketio.packet.Packet, ["encode", "json"], id="socketio.packet.Packet"),
        pytest.param(
            engineio.Client, ["_read_loop_websocket", "_write_loop"], id="engineio.Client"
        ),
    ],
)
def test_upstream_still_has_what_is_overridden(owner: Any, names: list[str]) -> None:
    """Each method that is called or overridden exists upstream."""
    missing = [name for name in names if not hasattr(owner, name)]
    assert not missing, f"{owner.__name__} has no {missing} any more: adapt _engine.py"


def test_the_frame_buffer_reads_through_recv(monkeypatch: pytest.MonkeyPatch) -> None:
    """websocket-client takes its bytes from _recv(), which EventSocket replaces."""
    ws = EventSocket.__new__(EventSocket)
    calls: list[int] = []

    def read(size: int) -> bytes:
        calls.append(size)
        return b"\x81\x00"[len(calls) - 1 : len(calls)]

    monkeypatch.setattr(ws, "_recv", read)
    websocket.WebSocket.__init__(ws)
    frame = ws.recv_frame()  # type: ignore[no-untyped-call]

    assert frame.opcode == ABNF.OPCODE_TEXT, "frames are no longer read with _recv()"
    assert calls, "WebSocket does not use _recv() any more: adapt EventSocket._recv"


def test_packets_are_encoded_with_our_json() -> None:
    """The class attribute json of Packet decides how a packet is encoded."""
    text, attachment = encode_event("/sales", "x", [{"a": b"1", "b": "é"}], 7)

    assert text == '51-/sales,7["x",{"a":{"_placeholder":true,"num":0},"b":"é"}]'
    assert attachment == b"1"
    assert encode_event("/", "x", []) == ['2["x"]']
    assert Packet(socketio.packet.CONNECT, namespace="/sales").encode() == "0/sales,"
    assert Packet(socketio.packet.DISCONNECT, namespace="/").encode() == "1"


def test_a_session_stands_on_what_upstream_does(server: FakeEvolutionServer) -> None:
    """A live connection has the threads, the queue and the socket that are looked at."""
    with make_client(server.url) as client:
        session = client._core.connection.session
        assert session is not None
        eio = session._sio.eio
        tasks = (eio.read_loop_task, eio.write_loop_task)

        assert eio.ws is session.ws, "engineio.Client.ws is not the socket of class_ any more"
        assert all(isinstance(task, threading.Thread) for task in tasks), (
            "engineio does not keep what start_background_task returned: adapt Session.is_healthy"
        )
        assert sorted(task.name.rpartition("-")[2] for task in tasks) == ["read", "write"], (
            "engineio's loops have other names: adapt Session._start_thread"
        )
        wait_until(lambda: eio.queue.unfinished_tasks == 0)
        assert session.unsent == 0
        assert session.is_healthy()
        assert eio in engineio.base_client.connected_clients
        session.send(['2/sales,["x"]'])
        assert server.wait_for_emit()[0].name == "x"


def test_no_upstream_thread_runs_events(
    server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many events arrive, upstream starts nothing but its two loops."""
    started: list[str] = []
    original = Session._start_thread

    def start(session: Session, target: Callable[..., object], *args: Any) -> threading.Thread:
        started.append(target.__name__)
        return original(session, target, *args)

    monkeypatch.setattr(Session, "_start_thread", start)
    with make_client(server.url) as client:
        for seq in range(100):
            server.emit("messages.upsert", {"seq": seq, "blob": b"x"}, store=False)
        list(client.events(limit=100))

    assert sorted(started) == ["_read_loop_websocket", "_write_loop"]


def test_the_process_is_left_alone(server: FakeEvolutionServer) -> None:
    """Connecting installs no signal handler, no log handler, no level, no reconnecting client."""
    before = signal.getsignal(signal.SIGINT)
    loggers = {name: logging.getLogger(name) for name in ("socketio.client", "engineio.client")}
    state = {name: (logger.level, list(logger.handlers)) for name, logger in loggers.items()}
    with make_client(server.url) as client:
        server.drop()
        wait_until(lambda: client.stats.reconnects)

        assert signal.getsignal(signal.SIGINT) is before
        assert state == {name: (log.level, list(log.handlers)) for name, log in loggers.items()}
    assert engineio.base_client.connected_clients == []


@pytest.mark.parametrize("name", ["read", "write"])
def test_a_dead_thread_is_noticed(
    server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A connection one of whose threads dies is replaced, whatever upstream believes."""

    def die(*_: object, **__: object) -> None:
        raise RuntimeError

    with make_client(server.url) as client:
        session = client._core.connection.session
        assert session is not None
        assert session.ws is not None
        if name == "read":
            monkeypatch.setattr(session.ws, "recv", die)
            server.emit_raw("6")
        else:
            monkeypatch.setattr(session.ws, "send", die)
            client.emit("x")
        wait_until(lambda: client.stats.reconnects == 1)
        wait_until(lambda: client.state is ConnectionState.OPEN)
        client.emit("y", timeout=10)

        assert server.wait_for_emit()[0].name == "y"
