"""How connections to the embedded server begin: HTTP, keys, TLS."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import trustme

from evolution_ws.testing import FakeEvolutionServer
from evolution_ws.testing.plugin import evolution_server_factory  # noqa: F401 - fixture
from tests.fake_server_tools import CEILING, RawClient, frame, refused_body, wait_until


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Return a started server with the instance sales."""
    with FakeEvolutionServer(instances="sales") as server:
        yield server


@pytest.fixture
def guarded() -> Iterator[FakeEvolutionServer]:
    """Return a started server that demands a key."""
    with FakeEvolutionServer(api_key="global-key") as server:
        server.instances["test"].token = "own-token"
        yield server


def polling(server: FakeEvolutionServer, query: str, method: str = "GET") -> tuple[int, object]:
    """Return status and body of a request to the socket's path."""
    answer = requests.request(method, f"{server.url}/socket.io/?{query}", timeout=CEILING)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("header", "query"),
    [
        ({"apikey": "global-key"}, ""),
        ({"ApiKey": "own-token"}, ""),
        ({}, "&apikey=own-token"),
        ({"apikey": "wrong"}, "&apikey=global-key"),
        ({"apikey": "global-key"}, "&apikey="),
    ],
    ids=["global", "token", "query", "query-wins", "empty-query"],
)
def test_handshake_accepts_a_key(
    guarded: FakeEvolutionServer, header: dict[str, str], query: str
) -> None:
    """The global key and any instance's token open the connection."""
    with RawClient(guarded, "/", "/test", header=header, query=query):
        assert guarded.clients[0].has_key


@pytest.mark.parametrize(
    ("header", "query", "reason"),
    [
        ({}, "", "apiKey is required"),
        ({"Authorization": "Bearer global-key"}, "", "apiKey is required"),
        ({"apikey": "wrong"}, "", "Invalid global token"),
        ({"apikey": "global-key"}, "&apikey=wrong", "Invalid global token"),
    ],
    ids=["none", "bearer", "wrong", "query-wins"],
)
def test_handshake_refuses_other_keys(
    guarded: FakeEvolutionServer, header: dict[str, str], query: str, reason: str
) -> None:
    """The refusal is a 400 whose body is the reason; over polling a 403."""
    assert (400, reason) == refused_body(guarded, header=header, query=query)
    answer = requests.get(
        f"{guarded.url}/socket.io/?EIO=4&transport=polling{query}", headers=header, timeout=CEILING
    )
    assert (403, {"code": 4, "message": reason}) == (answer.status_code, answer.json())


@pytest.mark.parametrize("hosts", [("127.0.0.1",), ["*"]], ids=["address", "everybody"])
def test_handshake_exempts_allowed_hosts(guarded: FakeEvolutionServer, hosts: list[str]) -> None:
    """Clients at an allowed address need no key."""
    guarded.allowed_hosts = hosts
    with RawClient(guarded, "/test"):
        assert not guarded.clients[0].has_key


@pytest.mark.parametrize(
    ("method", "query", "code"),
    [
        ("GET", "EIO=4&transport=carrier-pigeon", 0),
        ("GET", "EIO=4&transport=polling&sid=nope", 1),
        ("POST", "EIO=4&transport=polling", 2),
        ("GET", "EIO=4&transport=websocket", 3),
        ("GET", "EIO=3&transport=polling", 5),
        ("GET", "EIO=4&transport=polling", 0),
    ],
    ids=["transport", "sid", "method", "no-upgrade", "version", "polling"],
)
def test_handshake_explains_what_is_wrong(
    server: FakeEvolutionServer, method: str, query: str, code: int
) -> None:
    """Requests that can be no handshake get Engine.IO's codes."""
    status, body = polling(server, query, method)

    assert (400, code) == (status, body["code"])  # type: ignore[index]


def test_handshake_answers_404_where_websocket_is_off(server: FakeEvolutionServer) -> None:
    """A server without websocket does not know the path."""
    server.websocket_enabled = False

    status, body = refused_body(server)

    wanted = "Cannot GET /socket.io/?EIO=4&transport=websocket"
    assert (404, [wanted]) == (status, json.loads(body)["response"]["message"])


def test_handshake_needs_a_websocket_key(server: FakeEvolutionServer) -> None:
    """An upgrade that is no WebSocket handshake is refused and closed."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=CEILING) as raw:
        raw.sendall(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        answer = b"".join(iter(lambda: raw.recv(4096), b""))

    assert answer.startswith(b"HTTP/1.1 400")
    wait_until(lambda: server.clients == [])


def test_http_garbage_closes_the_connection(server: FakeEvolutionServer) -> None:
    """What is no HTTP is not answered."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=CEILING) as raw:
        raw.sendall(b"\x00\x01garbage\r\n\r\n")

        assert raw.recv(10) == b""


def test_http_requests_may_follow_each_other(server: FakeEvolutionServer) -> None:
    """Pipelined requests are answered one after the other on one connection."""
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=CEILING) as raw:
        raw.sendall(request + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        answers = b"".join(iter(lambda: raw.recv(4096), b""))

    assert answers.count(b"HTTP/1.1 200") == 2


def test_opening_packet_tells_the_parameters(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
) -> None:
    """The client learns intervals and limit."""
    server = evolution_server_factory(ping_interval=3, ping_timeout=1.5, max_payload=1000)
    with RawClient(server) as client:
        opening = json.loads(client.opening[1:])

    assert server.clients == [] or opening["sid"] == server.clients[0].sid
    assert (
        opening["upgrades"],
        opening["pingInterval"],
        opening["pingTimeout"],
        opening["maxPayload"],
    ) == ([], 3000, 1500, 1000)


def test_handshake_may_be_followed_at_once(server: FakeEvolutionServer) -> None:
    """A frame in the same piece as the handshake is not lost."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=CEILING) as raw:
        raw.sendall(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" + frame(0x81, b"40/sales,")
        )

        assert len(server.wait_for_client("sales")) == 1


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority that nobody trusts yet."""
    return trustme.CA()


def test_tls_carries_everything(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
    authority: trustme.CA,
    tmp_path: Path,
) -> None:
    """With a context of its own the server speaks HTTPS and WSS, also in large pieces."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = evolution_server_factory(ssl_context=context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))

    answer = requests.get(server.url, verify=str(bundle), timeout=CEILING)
    with RawClient(server, "/test", sslopt={"ca_certs": str(bundle)}) as client:
        server.emit("call", "y" * 1_000_000)
        received = client.text()
        client.send('42/test,["' + "x" * 500_000 + '"]')
        emitted = server.wait_for_emit()
        server.kick(close=True)
        text, ending = client.text(), client.end()

    assert server.url.startswith("https://")
    assert answer.status_code == 200
    assert len(received) > 1_000_000
    assert len(emitted[0].name) == 500_000
    assert (text, ending) == ("41/test,", "close")


def wait_for_end(raw: socket.socket) -> None:
    """Read until the server ends the connection, in whichever way."""
    with contextlib.suppress(ConnectionResetError):
        while raw.recv(4096):
            pass


def test_tls_client_that_speaks_plain_text_is_dropped(
    evolution_server_factory: Callable[..., FakeEvolutionServer],  # noqa: F811
    authority: trustme.CA,
) -> None:
    """A failed handshake ends that connection alone, and so does one that hangs at stop()."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = evolution_server_factory(ssl_context=context)
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(server.url, timeout=CEILING)
    with socket.create_connection(("127.0.0.1", server.port), timeout=CEILING) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        wait_for_end(raw)
    with socket.create_connection(("127.0.0.1", server.port), timeout=CEILING) as raw:
        server.stop()
        wait_for_end(raw)
