"""The life of the embedded server: start, stop, crash, freeze, fork."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from evolution_ws.testing import FakeEvolutionServer
from evolution_ws.testing._run import bind
from evolution_ws.testing.plugin import (  # noqa: F401 - fixtures
    evolution_server,
    evolution_server_factory,
)
from tests.fake_server_tools import CEILING, RawClient, own_threads, rest, wait_until


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Return a started server with the instances sales and support."""
    with FakeEvolutionServer(instances=("sales", "support")) as server:
        yield server


def test_restart_forgets_namespaces_and_keeps_the_database(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
) -> None:
    """The port, the instances and the messages survive; namespaces and clients do not."""
    server = evolution_server_factory(lazy=True)
    server.emit("messages.upsert", {"key": {"id": "A1"}, "messageTimestamp": 1795000000})
    assert {"/", "/test"} == server.namespaces
    url = server.url

    with RawClient(server, "/test") as client:
        server.restart(downtime=0.01)
        assert client.end() == "eof"

    assert url == server.url
    assert {"/"} == server.namespaces
    assert server.clients == []
    found = rest(server, "POST", "/chat/findMessages/test", {}).json()
    assert found["messages"]["total"] == 1


def test_restart_refuses_connections_in_between(server: FakeEvolutionServer) -> None:
    """During the downtime the port is closed, and afterwards open."""

    def is_refused() -> bool:
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=CEILING).close()
        except ConnectionError as exc:
            return isinstance(exc, ConnectionRefusedError)
        return False

    restarting = threading.Thread(target=server.restart, args=(0.5,))
    restarting.start()
    try:
        wait_until(is_refused)
    finally:
        restarting.join()

    assert rest(server, "GET", "/").status_code == 200


def test_restart_gives_the_port_up_when_interrupted(
    server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C during the downtime leaves a stopped server that can start again."""

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("evolution_ws.testing._process.time.sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        server.restart()
    monkeypatch.undo()
    assert not server.is_running

    server.start()

    assert rest(server, "GET", "/").status_code == 200


@pytest.mark.parametrize("situation", ["connected", "frozen", "handshake", "request", "unread"])
def test_stop_is_quick_and_leaves_nothing(server: FakeEvolutionServer, situation: str) -> None:
    """Whatever the clients are doing, stop() takes no time and leaves no thread or socket."""
    with RawClient(server, "/sales") as client, socket.socket() as half:
        if situation == "frozen":
            server.freeze()
        elif situation == "unread":
            for _ in range(10):
                server.emit("call", "x" * 1_000_000)
        elif situation != "connected":
            half.connect(("127.0.0.1", server.port))
            half.sendall(b"GET /socket.io/?EIO=4" + b" HTTP/1.1\r\n" * (situation == "request"))
        begun = time.monotonic()
        server.stop()
        took = time.monotonic() - begun
        assert client.end() in ("eof", "reset")

    assert took < 2
    assert own_threads() == []
    assert server.clients == []
    assert frozenset() == server.namespaces


def test_stop_and_start_may_be_repeated(server: FakeEvolutionServer) -> None:
    """Both are harmless when there is nothing to do, and the port stays."""
    port = server.port
    server.start()
    server.stop()
    server.stop()
    server.emit("call", "to nobody")
    server.emit_raw("to nobody")
    for control in (server.freeze, server.thaw, server.drop, server.kick, server.flush):
        control()
    server.create_namespace("sales")
    server.start()

    assert port == server.port
    assert rest(server, "GET", "/").status_code == 200


def test_start_from_several_threads_starts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that race to start a server end up with one."""
    server = FakeEvolutionServer()
    gate = threading.Barrier(3)

    def bind_together(port: int) -> socket.socket:
        listener = bind(port)
        gate.wait(CEILING)
        return listener

    monkeypatch.setattr("evolution_ws.testing._process._bind_patiently", bind_together)
    threads = [threading.Thread(target=server.start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(own_threads()) == 1
    assert rest(server, "GET", "/").status_code == 200
    server.stop()
    assert own_threads() == []


def test_start_fails_when_the_port_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port of somebody else is an error after some patience, and nothing is left open."""
    monkeypatch.setattr("evolution_ws.testing._process.REBIND_PATIENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = FakeEvolutionServer(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            server.start()

    assert not server.is_running


def test_url_needs_a_port() -> None:
    """Before the first start there is no address; the representation says so."""
    server = FakeEvolutionServer()

    with pytest.raises(RuntimeError, match="start the server first"):
        _ = server.url
    assert repr(server) == "<FakeEvolutionServer not started>"


def test_repr_shows_the_address_and_no_key(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
) -> None:
    """Nothing that the server tells about itself or its clients contains a key."""
    server = evolution_server_factory(api_key="global-key")
    header = {"apikey": "global-key"}
    with RawClient(server, "/test", header=header, query="&apikey=global-key"):
        rest(server, "GET", "/instance/fetchInstances", key="global-key")
        told = repr((server, server.clients, server.requests, server.instances))

    assert f"<FakeEvolutionServer {server.url}>" == repr(server)
    assert "global-key" not in told
    assert server.instances["test"].token not in told


def test_freeze_stops_everything_until_thaw(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
) -> None:
    """A frozen server neither pings nor answers; thawed it catches up and blames nobody."""
    server = evolution_server_factory(ping_interval=0.05, ping_timeout=0.2)
    with RawClient(server, "/test") as client:
        assert client.text() == "2"
        client.send("3")
        server.freeze()
        server.freeze()
        server.emit("call", "late")
        with pytest.raises(TimeoutError, match="bytes were not sent"):
            server.flush(timeout=0.4)
        with socket.create_connection(("127.0.0.1", server.port), timeout=0.1) as hanging:
            hanging.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises(TimeoutError):
                hanging.recv(1)
        server.thaw()
        server.thaw()
        texts = [client.text(), client.text()]
        client.send("3")
        assert client.text() == "2"

    assert {"42/test,[", "2"} == {text[:9] for text in texts}


def test_drop_resets_connections_without_a_goodbye(server: FakeEvolutionServer) -> None:
    """Clients get a TCP reset; the server goes on."""
    with RawClient(server, "/sales") as client:
        server.freeze()
        server.emit("call", "never sent")
        server.drop()
        server.thaw()

        assert client.end() == "reset"
    assert server.clients == []
    with RawClient(server, "/sales"):
        assert len(server.clients) == 1


def test_flush_waits_until_all_is_sent(server: FakeEvolutionServer) -> None:
    """What was flushed survives an orderly stop right afterwards."""
    with RawClient(server, "/sales") as client:
        server.emit("call", "last words")
        server.flush()
        server.stop()

        assert "last words" in client.text()


def test_stop_does_not_wait_for_ever_for_an_ack(
    server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function that does not return holds stop() up for a bounded time."""
    monkeypatch.setattr("evolution_ws.testing._run.STOP_TIMEOUT", 0.05)
    entered, leave = threading.Event(), threading.Event()

    def ack(*args: object) -> None:
        entered.set()
        leave.wait(CEILING)

    server.ack = ack
    with RawClient(server, "/sales") as client:
        client.send('42/sales,5["ping"]')
        entered.wait(CEILING)
        server.stop()
        assert len(own_threads()) == 1
        leave.set()
    wait_until(lambda: not own_threads())


def test_fork_leaves_the_port_to_the_parent() -> None:
    """A child process that lives on does not keep the server's sockets open."""
    script = """
import os, signal, sys
from evolution_ws.testing import FakeEvolutionServer
from evolution_ws.testing._run import bind
server = FakeEvolutionServer().__enter__()
child = os.fork()
if not child:
    signal.pause()
server.restart()
server.stop()
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
print("restarted")
"""
    # From 3.12 on Python warns of any fork beside a thread; here that is the point.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout, done.stderr) == ("restarted\n", "")


def test_server_is_silent(
    server: FakeEvolutionServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing of what the server does is printed or logged, at any level."""
    caplog.set_level(0)
    with RawClient(server, "/sales") as client:
        client.send('42["connect"]')
        client.end()
    rest(server, "GET", "/nope")

    assert tuple(capfd.readouterr()) == ("", "")
    assert [record for record in caplog.records if "urllib3" not in record.name] == []
