"""Emitting: what goes out arrives whole, and what cannot is refused before it harms."""

from __future__ import annotations

import math
from typing import Any

import pytest

from evolution_ws import (
    ClientClosed,
    ConfigError,
    ConnectError,
    ConnectionLost,
    NotConnectedError,
    PayloadTooLarge,
    QueueOverflow,
)
from evolution_ws.testing import Emitted, FakeEvolutionServer
from tests.core_tools import assert_closes, emitted, free_port, make_client
from tests.helpers import in_thread, wait_until
from tests.raw_server import Peer, RawServer


@pytest.mark.parametrize(
    ("data", "args"),
    [
        pytest.param(None, [], id="nothing"),
        pytest.param({"text": "Olá, ação 🙂"}, [{"text": "Olá, ação 🙂"}], id="dict"),
        pytest.param(("a", 1), ["a", 1], id="several"),
        pytest.param([1, None, True], [[1, None, True]], id="list"),
        pytest.param(b"\x00\xff", [b"\x00\xff"], id="bytes"),
        pytest.param({"a": [b"1", {"b": b""}]}, [{"a": [b"1", {"b": b""}]}], id="nested-bytes"),
        pytest.param(2**70, [2**70], id="huge-number"),
        pytest.param("\ud83d", ["\ud83d"], id="lone-surrogate"),
    ],
)
def test_data_arrives_unchanged(server: FakeEvolutionServer, data: Any, args: list[Any]) -> None:
    """Whatever has a JSON form, and bytes anywhere in it, reaches the server as it was."""
    with make_client(server.url) as client:
        client.emit("sendNode", data)

        assert server.wait_for_emit() == [Emitted("/sales", "sendNode", args)]


@pytest.mark.parametrize(
    ("where", "namespace"),
    [
        ({}, "/"),
        ({"instance": "b"}, "/b"),
        ({"namespace": "/a"}, "/a"),
        ({"namespace": "a"}, "/a"),
    ],
    ids=["default", "instance", "namespace", "without-slash"],
)
def test_the_namespace_of_an_emit(where: dict[str, Any], namespace: str) -> None:
    """A client of several instances emits on "/" unless told otherwise."""
    names = ("a", "b")
    with FakeEvolutionServer(instances=names) as server, make_client(server.url, names) as client:
        client.emit("sendNode", 1, **where)

        assert server.wait_for_emit()[0].namespace == namespace


@pytest.mark.parametrize(
    ("event", "data", "where", "error", "message"),
    [
        pytest.param("connect", 1, {}, ConfigError, "socket.io keeps for itself", id="reserved"),
        pytest.param("", 1, {}, ConfigError, "not empty", id="no-name"),
        pytest.param(5, 1, {}, ConfigError, "has to be a str", id="no-str"),
        pytest.param(
            "x", 1, {"instance": "a", "namespace": "/"}, ConfigError, "not both", id="both"
        ),
        pytest.param(
            "x", 1, {"instance": "other"}, NotConnectedError, "no instance of", id="foreign"
        ),
        pytest.param("x", object(), {}, TypeError, "JSON", id="no-json"),
        pytest.param("x", math.nan, {}, ValueError, "JSON", id="nan"),
        pytest.param("x", "é" * 500_000, {}, PayloadTooLarge, "accepts 1000000", id="too-large"),
        pytest.param(
            "x", bytes(1_000_001), {}, PayloadTooLarge, "accepts 1000000", id="too-many-bytes"
        ),
    ],
)
def test_what_would_harm_is_refused(
    server: FakeEvolutionServer,
    event: Any,
    data: object,
    where: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    """What the server would answer by cutting the connection raises, and nothing is sent."""
    with make_client(server.url) as client:
        with pytest.raises(error, match=message):
            client.emit(event, data, **where)
        client.emit("sendNode", "fine")

        assert [event.name for event in server.wait_for_emit()] == ["sendNode"]
        assert client.stats.emitted == 1
        assert client.stats.reconnects == 0


def test_the_largest_message_is_sent(server: FakeEvolutionServer) -> None:
    """A message of exactly the server's limit goes through."""
    with make_client(server.url, None) as client:
        room = 1_000_000 - len('42["x",""]')
        client.emit("x", "a" * room)
        assert len(emitted(server)[0]) == room
        with pytest.raises(PayloadTooLarge):
            client.emit("x", "a" * (room + 1))


def test_emit_without_a_connection(server: FakeEvolutionServer) -> None:
    """Without *timeout* emit says at once why there is nothing to send over."""
    client = make_client(server.url)
    with pytest.raises(NotConnectedError, match="is not connected; call connect"):
        client.emit("x")
    client.connect()
    server.stop()
    wait_until(lambda: not client.is_connected)
    with pytest.raises(NotConnectedError, match="emit with a timeout to wait for it"):
        client.emit("x")
    with pytest.raises(NotConnectedError, match=r"after 0\.05 seconds"):
        client.emit("x", timeout=0.05)
    client.close()
    with pytest.raises(ClientClosed, match="make a new one to emit"):
        client.emit("x")
    with pytest.raises(ClientClosed):
        client.emit("x", timeout=10)


def test_emit_with_a_timeout_connects(server: FakeEvolutionServer) -> None:
    """With *timeout* emit connects a new client and waits for the namespace."""
    client = make_client(server.url)
    client.emit("x", 1, timeout=10)

    assert server.wait_for_emit()[0].args == [1]
    assert_closes(client)


def test_emit_waits_for_a_connection_that_is_coming_back(server: FakeEvolutionServer) -> None:
    """With *timeout* emit survives a restart of the server."""
    with make_client(server.url) as client:
        server.stop()
        wait_until(lambda: not client.is_connected)
        emitting = in_thread(lambda: client.emit("x", 1, timeout=10))
        wait_until(lambda: client._core.connection._watchers)
        server.start()
        emitting.result()

        assert server.wait_for_emit()[0].args == [1]


def test_emit_says_why_connecting_failed() -> None:
    """Where connecting was given up, emit raises the cause."""
    client = make_client(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ConnectError):
        client.connect()
    with pytest.raises(ConnectError, match="nobody listens"):
        client.emit("x")


def test_emit_into_a_pending_namespace() -> None:
    """A namespace that the server has not made yet is named as the reason."""
    with (
        FakeEvolutionServer(instances=("sales",), lazy=True) as server,
        make_client(server.url) as client,
    ):
        with pytest.raises(NotConnectedError, match="does not exist on the server yet"):
            client.emit("x")
        server.create_namespace("sales")
        client.emit("x", timeout=10)

        assert server.wait_for_emit()[0].namespace == "/sales"


def test_emit_into_a_namespace_that_is_being_joined_again(server: FakeEvolutionServer) -> None:
    """After a kick the namespace is not joined for a moment, and emit says so."""
    with make_client(server.url) as client:
        server.join_delay = float("inf")
        server.kick("sales")
        wait_until(lambda: not client._core.connection.joins.is_joined("/sales"))
        with pytest.raises(NotConnectedError, match="not joined at the moment"):
            client.emit("x")


def test_emits_of_many_threads_do_not_mix(server: FakeEvolutionServer) -> None:
    """Text and binary events of eight threads arrive whole, each thread's in its order."""
    count, threads = 50, 8
    with make_client(server.url) as client:

        def emit(number: int) -> None:
            for seq in range(count):
                blob = bytes([number, seq]) * 50
                client.emit("x", {"n": number, "seq": seq, "blob": blob if seq % 2 else "text"})

        for task in [in_thread(emit, number) for number in range(threads)]:
            task.result()
        got = emitted(server, count * threads)

    for number in range(threads):
        mine = [data for data in got if data["n"] == number]
        assert [data["seq"] for data in mine] == list(range(count))
        assert all(
            data["blob"] == bytes([number, seq]) * 50 for seq, data in enumerate(mine) if seq % 2
        )


@pytest.mark.parametrize("size", [10, 20_000], ids=["small", "large"])
def test_close_sends_what_was_emitted(server: FakeEvolutionServer, size: int) -> None:
    """Emits followed at once by close() all arrive, in order."""
    for _ in range(5):
        client = make_client(server.url).connect()
        server.received.clear()
        for seq in range(40):
            client.emit("x", {"seq": seq, "filler": "x" * size})
        client.close()

        assert [data["seq"] for data in emitted(server, 40)] == list(range(40))
        assert client.stats.emits_lost == 0


def test_a_server_that_takes_nothing_is_an_overflow(server: FakeEvolutionServer) -> None:
    """Emits that the server does not read end in QueueOverflow, not in endless memory."""
    with make_client(server.url) as client:
        server.freeze()

        def emit_on() -> None:
            for _ in range(200_000):
                client.emit("x", "y" * 2_000)

        with pytest.raises(QueueOverflow, match="does not take what is emitted"):
            emit_on()
        server.thaw()


def test_an_emit_that_meets_a_broken_connection_is_counted(server: FakeEvolutionServer) -> None:
    """What was accepted and could not be sent any more shows in the counters."""
    with make_client(server.url) as client:
        connection = client._core.connection
        session = connection.session
        assert session is not None
        server.drop()
        wait_until(lambda: session.is_over)
        connection.send(session, ["42/sales,[]"])
        wait_until(lambda: client.stats.emits_lost == 1)


# call


@pytest.mark.parametrize(
    ("answer", "value"),
    [((), None), ("yes", "yes"), ((1, 2), (1, 2)), ({"a": b"bytes"}, {"a": b"bytes"})],
    ids=["none", "one", "several", "binary"],
)
def test_call_returns_the_acknowledgement(answer: Any, value: Any) -> None:
    """call() returns what the server acknowledged with: nothing, one value or several."""
    with (
        FakeEvolutionServer(
            instances=("sales",), ack=lambda namespace, name, args: answer
        ) as server,
        make_client(server.url) as client,
    ):
        assert client.call("ask", b"data", timeout=10) == value
        assert client.call("ask", b"data", timeout=math.inf) == value


def test_calls_of_many_threads_get_their_own_answers() -> None:
    """Each of many calls at once gets the answer to its own question."""

    def double(namespace: str, name: str, args: list[Any]) -> int:
        return int(args[0]) * 2

    with (
        FakeEvolutionServer(instances=("sales",), ack=double) as server,
        make_client(server.url) as client,
    ):
        tasks = [in_thread(client.call, "double", number) for number in range(50)]

        assert [task.result() for task in tasks] == [number * 2 for number in range(50)]


def test_call_gives_up_in_time(server: FakeEvolutionServer) -> None:
    """An Evolution server acknowledges nothing: call() ends with its timeout."""
    with make_client(server.url) as client:
        with pytest.raises(TimeoutError, match="acknowledges nothing"):
            client.call("ask", timeout=0.05)
        assert client._core.connection.acks._waiting == {}


def test_call_ends_with_the_connection(server: FakeEvolutionServer) -> None:
    """A call that waits is told at once when the connection drops."""
    with make_client(server.url) as client:
        calling = in_thread(lambda: client.call("ask", timeout=60))
        server.wait_for_emit()
        server.drop()
        with pytest.raises(ConnectionLost, match="before the server answered"):
            calling.result()


def test_call_ends_with_the_client(server: FakeEvolutionServer) -> None:
    """A call that waits is told at once when the client is closed."""
    client = make_client(server.url).connect()
    calling = in_thread(lambda: client.call("ask", timeout=60))
    server.wait_for_emit()
    assert_closes(client)
    with pytest.raises(ConnectionLost):
        calling.result()


def test_call_over_a_session_that_has_just_ended(
    server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that finds its session over does not wait for an answer that cannot come."""
    with make_client(server.url) as client:
        emitter = client._core.emitter
        session = emitter._session("/sales", None)
        server.stop()
        wait_until(lambda: session.is_over)
        monkeypatch.setattr(emitter, "_session", lambda namespace, wait: session)
        with pytest.raises(ConnectionLost):
            client.call("ask", timeout=60)


def test_answers_that_nobody_asked_for_are_ignored() -> None:
    """Acknowledgements with unknown or impossible numbers harm nothing."""

    def answer(peer: Peer) -> None:
        peer.welcome()
        peer.say("430[1]", "43999[1]", "43/other,1[1]", "43[1]", '431{"no":"list"}')
        text = peer.hear()
        peer.say("431" + text.removeprefix("421"))
        peer.until_gone()

    with RawServer(answer) as raw, make_client(raw.url, None) as client:
        assert client.call("echo", 7, timeout=10) == ("echo", 7)
        assert client.stats.malformed == 2


def test_data_that_refers_to_itself(server: FakeEvolutionServer) -> None:
    """A loop in the data is an error of the caller, and the connection stays."""
    data: dict[str, Any] = {}
    data["self"] = data

    with make_client(server.url) as client:
        with pytest.raises(ValueError, match="refers to itself"):
            client.emit("x", data)

        assert client.is_connected
