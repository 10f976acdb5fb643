"""The checks of server and socket, against all kinds of answers."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from socket import socket as Socket

import pytest

from evolution_ws.testing import FakeEvolutionServer
from tests.cli.doctoring import KEY, diagnose
from tests.cli.listeners import canned, http, listener


WELCOME = http("200 OK", json.dumps({"status": 200, "version": "2.3.7"}))
POLLING = http("200 OK", '0{"sid":"x","upgrades":["websocket"],"pingInterval":25000}')
GET = "GET / "
POLL = "GET /socket.io/?EIO=4&transport=polling"
SOCKET = "GET /socket.io/?EIO=4&transport=websocket"


@pytest.mark.parametrize(
    ("answer", "said", "advice"),
    [
        (
            http("302 Found", "", "Location: https://u:p@a.example.com/x"),
            "redirects",
            "https://a.e",
        ),
        (
            http("302 Found", "", "Location: /login"),
            "redirects",
            "the address that it redirects to",
        ),
        (http("400 Bad", "The plain HTTP request was sent to HTTPS port"), "HTTPS", "Use https://"),
        (http("500 Error", '{"error": "Not allowed by CORS"}'), "CORS", "--origin"),
        (http("502 Bad Gateway", "<title>502 Bad Gateway</title>"), "502 Bad Gateway", "Start"),
        (http("401 No", "", 'WWW-Authenticate: Basic realm="x"'), "password", "Exempt"),
        (b"SSH-2.0-OpenSSH_9\r\n", "does not answer HTTP", "Check the port"),
        (b"", "does not answer HTTP", "Check the port"),
    ],
    ids=["elsewhere", "login", "https", "cors", "gateway", "password", "ssh", "closed"],
)
def test_what_answers_instead(answer: bytes, said: str, advice: str) -> None:
    """Whatever stands in place of the server is recognised by its answer."""
    with canned({"GET": answer}) as url:
        check, evidence, remedy = diagnose(url, "--connect-timeout", 0.5).cause

    assert check == "server"
    assert said in evidence
    assert advice in remedy
    assert "u:p" not in remedy


def test_a_server_that_hangs() -> None:
    """A server that takes the connection and never answers is told from one that is down."""
    with listener(lambda sock: [sock.recv(65536), sock.recv(65536)]) as port:
        check, evidence, _ = diagnose(f"http://127.0.0.1:{port}", "--connect-timeout", 0.3).cause

    assert check == "server"
    assert "no answer within 0.3 s" in evidence


@pytest.mark.parametrize(
    ("socket", "polling", "said", "advice"),
    [
        (
            http("400 Bad", '{"code":3,"message":"Bad request"}'),
            POLLING,
            "drops the Upgrade",
            "nginx",
        ),
        (http("400 Bad", '{"code":3,"message":"Bad request"}'), b"", "drops the Upgrade", "nginx"),
        (POLLING, POLLING, "drops the Upgrade", "nginx"),
        (http("200 OK", "<title>Hi</title>"), http("404 No"), "HTTP 200", "pass the upgrade on"),
        (http("400 Bad", "Authentication error"), b"", "Authentication error", "database"),
        (http("400 Bad", "apiKey is required"), b"", "apiKey is required", "drops the header"),
        (http("403 No", '{"code":4,"message":"Invalid global token"}'), b"", "wrong", "token"),
        (http("403 No", "<title>Blocked</title>"), http("403 No"), "Blocked", "firewall"),
        (http("503 Busy"), POLLING, "HTTP 503", "start it"),
        (
            http("301 Moved", "", "Location: https://a.example.com/"),
            b"",
            "301",
            "Use https://a.example",
        ),
        (http("404 No", "<title>404</title>"), http("404 No"), "leads nowhere", "path"),
        (http("404 No"), http("404 No"), "no socket.io", "WEBSOCKET_ENABLED"),
        (http("418 Teapot", '{"message": ["a", "b"]}'), http("418 No"), "a b", "log"),
        (b"", POLLING, "by polling", "nginx"),
        (b"", b"", "handshake failed", "log"),
    ],
    ids=[
        "stripped",
        "stripped-both",
        "polling-page",
        "page",
        "database",
        "no-key",
        "wrong-key",
        "firewall",
        "gateway",
        "redirect",
        "path",
        "off",
        "other",
        "cut-off",
        "closed",
    ],
)
def test_handshakes_that_fail(socket: bytes, polling: bytes, said: str, advice: str) -> None:
    """Each way in which a handshake fails has its cause and remedy."""
    with canned({GET: WELCOME, SOCKET: socket, POLL: polling}) as url:
        check, evidence, remedy = diagnose(url, "--api-key", KEY).cause

    assert check == "socket"
    assert said in evidence
    assert advice in remedy


def test_a_websocket_of_something_else() -> None:
    """A websocket that opens without socket.io is recognised."""

    def serve(sock: Socket) -> None:
        head = sock.recv(65536).decode()
        if "Upgrade" not in head:
            sock.sendall(WELCOME if head.startswith(GET) else http("404 Not Found"))
            return
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        seed = fields["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(seed.encode()).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Accept: {accept}", "", ""]
        sock.sendall("\r\n".join(lines).encode() + b"\x81\x05hello")
        sock.recv(65536)

    with listener(serve) as port:
        check, evidence, _ = diagnose(f"http://127.0.0.1:{port}").cause

    assert check == "socket"
    assert "not one of socket.io" in evidence


@pytest.mark.parametrize(
    ("seconds", "status", "said"),
    [(0, "ok", "within 5 s"), (300, "warning", "ahead of"), (-300, "warning", "behind")],
    ids=["right", "ahead", "behind"],
)
def test_clocks(seconds: int, status: str, said: str) -> None:
    """The Date header tells how far the server's clock is off."""
    when = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=seconds))
    welcome = http("200 OK", '{"version": "2.3.7"}', f"Date: {when}")
    answers = {GET: welcome, SOCKET: http("404 Not Found"), "GET /instance": http("200 OK", "[]")}
    with canned(answers) as url:
        found = diagnose(url).of("clock")

    assert status == found["status"]
    assert said in found["evidence"]


def test_a_path_that_leads_nowhere() -> None:
    """A path below which nothing is, with nothing at the root either, is the suspect."""
    with canned({}) as url:
        check, _, remedy = diagnose(f"{url}/evolution").cause
        plain = diagnose(url)

    assert check == "server"
    assert "path /evolution" in remedy
    assert "welcome" in plain.of("server")["evidence"]


def test_a_database_that_is_down() -> None:
    """What the server says of its database is not taken for a wrong key."""
    with FakeEvolutionServer(instances=("sales",)) as server:
        server.refuse("Authentication error")
        check, _, remedy = diagnose(server.url).cause

    assert check == "socket"
    assert "database" in remedy
