"""The embedded server's socket side: heartbeat, packets, namespaces."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import requests

from evolution_ws.testing import FakeEvolutionServer
from evolution_ws.testing.plugin import evolution_server_factory  # noqa: F401 - fixture
from tests.fake_server_tools import CEILING, RawClient, frame, wait_until


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Return a started server with the instance sales."""
    with FakeEvolutionServer(instances="sales") as server:
        yield server


def test_heartbeat_goes_on_as_long_as_it_is_answered(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
) -> None:
    """Pings come at the interval; the first unanswered one ends the connection."""
    server = evolution_server_factory(ping_interval=0.02, ping_timeout=0.3)
    with RawClient(server, "/test") as client:
        for _ in range(3):
            assert client.text() == "2"
            client.send("3")
        assert client.text() == "2"
        assert client.end() == "close"


def test_connection_that_joins_nothing_is_closed(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
) -> None:
    """Refusals do not count as joining; having left again does."""
    server = evolution_server_factory(connect_timeout=0.2)
    with RawClient(server) as nothing, RawClient(server, "/test") as joined:
        nothing.send("40/nope,")
        joined.send("41/test,")
        assert nothing.end() == "close"
        joined.send("40/test,")

        assert joined.text().startswith("40/test,")


def test_join_delay_keeps_the_client_waiting(server: FakeEvolutionServer) -> None:
    """The answer to a join comes late, or never."""
    server.join_delay = 0.05
    with RawClient(server) as client:
        begun = time.monotonic()
        client.send("40/sales,")
        assert client.text().startswith("40/sales,")
        assert time.monotonic() - begun >= 0.05
        server.join_delay = float("inf")
        client.send("40")
        client.send('42/sales,["still there"]')
        server.wait_for_emit()

        assert server.clients[0].namespaces == ("/sales",)


def test_join_delay_punishes_a_second_question(server: FakeEvolutionServer) -> None:
    """A client that does not wait for the answer loses its connection."""
    server.join_delay = 0.05
    with RawClient(server) as client:
        client.send("40/sales,")
        client.send("40/sales,")

        assert client.text().startswith("40/sales,")
        assert client.end() == "close"


@pytest.mark.parametrize(
    "message",
    [
        '42/sales,["connect"]',
        '42/sales,["disconnect"]',
        '42/sales,["connect_error"]',
        "42/sales,[]",
        "42/sales,",
        '42/sales,{"a":1}',
        '42/sales,["a"',
        '42/sales,["a",NaN]',
        "42/sales,[true]",
        '42["not joined"]',
        '42/other,["not joined"]',
        "40/sales,",
        '40/other,"auth"',
        "40/other,{",
        "41/other,",
        "41/sales,{}",
        '44/sales,{"message":"x"}',
        "44/sales,[]",
        "47/sales,",
        "4x",
        '45/sales,["no attachments"]',
        '421-/sales,["attachments"]',
        '43/sales,{"a":1}',
        b"no header",
        "2",
        "9",
        "",
        "42/sales," + "[" * 100_000,
        "4" + "2" + "9" * 5000 + '["huge id"]',
    ],
    ids=lambda message: repr(message)[:30],
)
def test_bad_packet_closes_the_connection(
    server: FakeEvolutionServer, message: str | bytes
) -> None:
    """What breaks the protocol ends the whole connection, by a close frame without code."""
    with RawClient(server, "/sales") as client:
        client.send(message)

        assert client.end() == "close"
    assert server.received == []


@pytest.mark.parametrize(
    "messages",
    [
        ['451-/sales,["x",{"_placeholder":true,"num":0}]', '42/sales,["text"]'],
        ['451-/sales,["x",{"_placeholder":true,"num":1}]', b"only one"],
        ['451-/sales,["x",{"_placeholder":true,"num":"0"}]', b"only one"],
    ],
    ids=["text", "number", "type"],
)
def test_bad_attachment_closes_the_connection(
    server: FakeEvolutionServer, messages: list[str | bytes]
) -> None:
    """Text between attachments and placeholders of nothing are errors."""
    with RawClient(server, "/sales") as client:
        for message in messages:
            client.send(message)

        assert client.end() == "close"


@pytest.mark.parametrize(
    "message",
    ['43/sales,9["x"]', '461-/sales,9["x"]', "6", "1"],
    ids=["ack", "binary-ack", "noop", "close"],
)
def test_harmless_packet_is_ignored(server: FakeEvolutionServer, message: str) -> None:
    """Acknowledgements of nothing and Engine.IO's own packets change nothing."""
    with RawClient(server, "/sales") as client:
        client.send(message)
        if message.startswith("46"):
            client.send(b"attachment")
        client.send('42/sales,["hello"]')

        assert server.wait_for_emit() == [("/sales", "hello", [])]


def test_binary_emits_are_put_together(server: FakeEvolutionServer) -> None:
    """Attachments replace their placeholders, however deep and in any order."""
    with RawClient(server, "/sales") as client:
        client.send(
            '452-/sales,["x",{"a":[{"_placeholder":true,"num":1}],'
            '"b":{"_placeholder":true,"num":0}},7]'
        )
        client.send(b"zero")
        client.send(b"one")

        assert server.wait_for_emit() == [("/sales", "x", [{"a": [b"one"], "b": b"zero"}, 7])]


def test_leaving_a_namespace_ends_its_events(server: FakeEvolutionServer) -> None:
    """After DISCONNECT nothing comes, and the namespace can be joined again."""
    with RawClient(server, "/sales") as client:
        client.send("41/sales,")
        wait_until(lambda: server.clients[0].namespaces == ())
        server.emit("call", "to nobody")
        client.send("40/sales,")

        assert client.text().startswith("40/sales,")


def test_message_over_the_limit_closes_with_1009(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
) -> None:
    """The client's messages are limited, the server's are not."""
    server = evolution_server_factory(max_payload=1000)
    with RawClient(server, "/test") as client:
        client.send('42/test,["' + "x" * 900 + '"]')
        server.wait_for_emit()
        server.emit("call", "y" * 5000)
        assert len(client.text()) > 5000
        client.send('42/test,["' + "x" * 1001 + '"]')

        assert client.end() == "close 1009"


@pytest.mark.parametrize(
    ("frames", "ending"),
    [
        (frame(0x81, b"4\xff"), "close 1007"),
        (frame(0x83, b""), "close 1002"),
        (frame(0x88, b""), "close"),
        (frame(0x01, b"41/sal") + frame(0x89, b"") + frame(0x80, b"es,") + frame(0x88, b""),
         "close"),
        (frame(0x88, b"") + frame(0x81, b"too late"), "close"),
    ],
    ids=["utf-8", "opcode", "closing", "fragments", "after"],
)  # fmt: skip
def test_websocket_rules_are_kept(server: FakeEvolutionServer, frames: bytes, ending: str) -> None:
    """Frames are checked, put together and answered as the standard says."""
    with RawClient(server, "/sales") as client:
        client.send_tcp(frames)

        assert ending == client.end()
    wait_until(lambda: server.clients == [])


def test_emits_before_a_close_are_not_lost(server: FakeEvolutionServer) -> None:
    """What a client sends right before it closes arrives, also in one piece with the close."""
    with RawClient(server, "/sales") as client:
        client.send_tcp(frame(0x81, b'42/sales,["last"]') + frame(0x88, b""))

        assert client.end() == "close"
        assert server.wait_for_emit() == [("/sales", "last", [])]


def test_nothing_is_taken_after_a_bad_packet(server: FakeEvolutionServer) -> None:
    """What follows a bad packet in the same piece is not looked at."""
    with RawClient(server, "/sales") as client:
        client.send_tcp(frame(0x81, b"47") + frame(0x81, b'42/sales,["x"]'))

        assert client.end() == "close"
    assert server.received == []


def test_slow_client_gets_everything_in_the_end(server: FakeEvolutionServer) -> None:
    """The server keeps what a client does not read yet, without holding others up."""
    with RawClient(server, "/sales") as slow, RawClient(server, "/sales") as quick:
        for _ in range(10):
            server.emit("call", "x" * 1_000_000)
            assert len(quick.text()) > 1_000_000
        with pytest.raises(TimeoutError):
            server.flush(timeout=0.05)
        for _ in range(10):
            assert len(slow.text()) > 1_000_000
        server.flush()


def test_nothing_is_written_behind_a_closeframe(server: FakeEvolutionServer) -> None:
    """Once the server has said goodbye, even raw bytes stay away; a second goodbye, too."""
    with RawClient(server, "/sales") as client:
        server.kick("sales", close=True)
        server.kick(close=True)
        server.emit_raw(b"garbage", tcp=True)
        server.emit_raw("7")
        assert client.text() == "41/sales,"
        client.send_tcp(frame(0x81, b"47") * 3)

        assert client.end() == "close"


def test_client_that_vanishes_is_forgotten(server: FakeEvolutionServer) -> None:
    """An end of the TCP connection without a goodbye ends the session."""
    with RawClient(server, "/sales"):
        server.wait_for_client("sales")

    wait_until(lambda: server.clients == [])


def test_client_that_resets_is_forgotten(server: FakeEvolutionServer) -> None:
    """A hard end of the TCP connection is an end like any other."""
    with RawClient(server, "/sales") as client:
        client.reset()
        wait_until(lambda: server.clients == [])


def test_client_that_closes_in_time_is_left_alone(
    server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time to say goodbye may run out after the client has gone."""
    monkeypatch.setattr("evolution_ws.testing._connection.GOODBYE", 0.05)
    with RawClient(server, "/sales") as client:
        server.kick(close=True)
        assert client.end() == "close"
    wait_until(lambda: server.clients == [])
    server.rest_delay = 0.1

    assert requests.get(server.url, timeout=CEILING).status_code == 200


def test_client_that_does_not_close_is_cut_off(
    server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the close frame the server waits for a bounded time only."""
    monkeypatch.setattr("evolution_ws.testing._connection.GOODBYE", 0.05)
    with RawClient(server, "/sales") as client:
        server.kick(close=True)

        wait_until(lambda: server.clients == [])
        assert client.text() == "41/sales,"


@pytest.mark.parametrize("name", ["minha loja", "ção", "a/b", "x#y", "a+b", "1-2"])
def test_namespace_names_are_taken_as_they_are(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
    name: str,
) -> None:
    """Any name without a comma can be joined."""
    server = evolution_server_factory(instances=[name])
    with RawClient(server, f"/{name}") as client:
        server.emit("call", 1)

        assert client.text().startswith(f"42/{name},[")
