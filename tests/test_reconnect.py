"""What a client makes of a server that throws it out, restarts, freezes or flaps."""

from __future__ import annotations

import pytest

from evolution_ws import (
    Backoff,
    ConnectError,
    ConnectionState,
    EvolutionError,
    NamespaceState,
)
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import assert_closes, make_client
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
        assert client.stats.reconnects == close


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
