"""Servers whose handshake makes no sense, never ends, or leads elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from evolution_ws import ConnectError, ConnectionState
from tests.core_tools import PROMPT, make_client
from tests.raw_server import Peer, RawServer, event_text


def _opening(text: str | bytes) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.say(text)
        peer.until_gone()

    return script


def _answer(data: bytes) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.head()
        peer.raw(data)

    return script


def _endless_header(peer: Peer) -> None:
    peer.head()
    peer.raw(b"HTTP/1.1 101 Switching Protocols\r\nX-Long: ")
    while True:
        peer.raw(b"a" * 65_536)


def _endless_headers(peer: Peer) -> None:
    peer.head()
    peer.raw(b"HTTP/1.1 101 Switching Protocols\r\n")
    while True:
        peer.raw(b"X-Many: a\r\n" * 6_000)


def _reset(peer: Peer) -> None:
    peer.head()
    peer.reset()


GOOD = '{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'

HANDSHAKES = {
    "open-no-json": _opening("0{"),
    "open-empty": _opening("0{}"),
    "open-list": _opening("0[]"),
    "open-null": _opening("0null"),
    "open-without-sid": _opening(f"0{GOOD}".replace('"sid":"x",', "")),
    "open-sid-null": _opening(f"0{GOOD}".replace('"x"', "null")),
    "open-without-upgrades": _opening(f"0{GOOD}".replace('"upgrades":[],', "")),
    "open-interval-zero": _opening(f"0{GOOD}".replace("25000", "0")),
    "open-interval-negative": _opening(f"0{GOOD}".replace("25000", "-1")),
    "open-interval-huge": _opening(f"0{GOOD}".replace("25000", "1e18")),
    "open-interval-text": _opening(f"0{GOOD}".replace("25000", '"soon"')),
    "open-timeout-null": _opening(f"0{GOOD}".replace("20000", "null")),
    "open-timeout-nan": _opening(f"0{GOOD}".replace("20000", "NaN")),
    "message-first": _opening("49[1]"),
    "binary-first": _opening(b"x"),
    "close-first": _opening("1"),
    "nothing-first": _opening(""),
    "http-200": _answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
    "http-garbage": _answer(b"220 mail.example.com ESMTP\r\n\r\n"),
    "http-nothing": _answer(b""),
    "http-half": _answer(b"HTTP/1.1 101 Swi"),
    "http-wrong-accept": _answer(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"
    ),
    "http-redirect": _answer(b"HTTP/1.1 302 Found\r\nLocation: http://evil.example.com/\r\n\r\n"),
    "endless-header": _endless_header,
    "endless-headers": _endless_headers,
    "reset": _reset,
}


def _good(peer: Peer) -> None:
    peer.welcome()
    peer.say(event_text(1))
    peer.until_gone()


@pytest.mark.parametrize("script", HANDSHAKES.values(), ids=HANDSHAKES.keys())
def test_a_bad_handshake_fails_one_attempt(script: Callable[[Peer], None]) -> None:
    """A handshake that makes no sense fails its attempt, with words; the next one works."""
    begin = time.monotonic()
    with RawServer(script, script, _good) as raw:
        client = make_client(raw.url, None, connect_timeout=0.7)
        with pytest.raises(ConnectError, match=r"http://127\.0\.0\.1") as caught:
            client.connect()
        assert "evil" not in str(caught.value) or "redirects to" in str(caught.value)
        assert client.state is ConnectionState.FAILED

        with client.connect(10):
            assert client.get(10).data == {"seq": 1}
    assert time.monotonic() - begin < 2 * PROMPT


def test_a_redirect_never_gets_the_key() -> None:
    """The key goes to the address that was given, and nowhere else."""
    heads: list[str] = []

    def trap(peer: Peer) -> None:
        heads.append(peer.head())

    with RawServer(trap) as evil:
        redirect = _answer(f"HTTP/1.1 301 Moved\r\nLocation: {evil.url}/\r\n\r\n".encode())
        with RawServer(redirect) as raw:
            client = make_client(raw.url, None, api_key="key-of-the-tests-0001")
            with pytest.raises(ConnectError, match="Use that address as the URL"):
                client.connect()

    assert heads == []
