"""Connections that an HTTP proxy makes."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from evolution_ws._dial import Dialer, ProxyError, make_tls_context, proxy_options

from .raw_server import HOST, Peer, RawServer
from .test_dial import soon


def dial(
    proxy_url: str, host: str = "api.invalid", context: ssl.SSLContext | None = None
) -> socket.socket:
    """Dial through a proxy."""
    options = proxy_options(proxy_url, "http", host)
    return Dialer(soon()).dial_through(options, host, 443, context)


def answering(text: str, heads: list[str]) -> Callable[[Peer], None]:
    """Return a proxy that answers CONNECT with *text* and then repeats what it hears."""

    def script(peer: Peer) -> None:
        heads.append(peer.head())
        peer.raw(text.encode())
        while data := peer.sock.recv(100):
            peer.raw(data)

    return script


@pytest.mark.parametrize(
    ("host", "shown"), [("api.invalid", "api.invalid:443"), ("::1", "[::1]:443")]
)
def test_a_proxy_is_asked_for_the_server(host: str, shown: str) -> None:
    """What comes behind its consent belongs to the server."""
    heads: list[str] = []
    script = answering("HTTP/1.1 200 Connection established\r\n\r\n", heads)
    with RawServer(script) as proxy, dial(proxy.url, host) as sock:
        sock.sendall(b"hello")
        heard = sock.recv(100)

    assert heard == b"hello"
    assert heads == [f"CONNECT {shown} HTTP/1.1\r\nHost: {shown}"]


def test_a_proxy_gets_its_password() -> None:
    """As basic authentication, decoded from the URL."""
    heads: list[str] = []
    with RawServer(answering("HTTP/1.0 200 OK\r\n\r\n", heads)) as proxy:
        dial(proxy.url.replace("http://", "http://user:p%40ss@")).close()

    expected = base64.b64encode(b"user:p@ss").decode()
    assert heads[0].endswith(f"\r\nProxy-Authorization: Basic {expected}")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param("HTTP/1.1 407 Give a password\r\n\r\n", "407 Give a password", id="refusal"),
        pytest.param("SSH-2.0-x\x1b[0m\r\n\r\n", "it answered 'SSH-2.0-x [0m'", id="garbage"),
        pytest.param("x" * 100_000, "does not end", id="endless"),
    ],
)
def test_a_proxy_that_does_not_lead_on_is_named(answer: str, words: str) -> None:
    """Its answer tells why, in one harmless line."""
    with RawServer(answering(answer, [])) as proxy, pytest.raises(ProxyError) as caught:
        dial(proxy.url)

    assert words in str(caught.value)


def test_a_proxy_that_hangs_up_is_named() -> None:
    """Before it answers."""
    with RawServer(lambda peer: peer.head()) as proxy, pytest.raises(ProxyError, match="hung up"):
        dial(proxy.url)


def test_a_proxy_that_is_not_there_is_named() -> None:
    """The server is not to blame."""
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(ProxyError, match=r".+"):
        dial(f"http://{HOST}:{port}")


def test_tls_is_spoken_with_the_server_behind_the_proxy(tmp_path: Path) -> None:
    """Its certificate counts, not the proxy's address."""
    authority = trustme.CA()
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("api.example.com").configure_cert(context)

    def script(peer: Peer) -> None:
        peer.head()
        peer.raw(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.sock = context.wrap_socket(peer.sock, server_side=True)
        peer.raw(b"secure")
        peer.until_gone()

    trusting = make_tls_context(str(path), None)
    with RawServer(script) as proxy, dial(proxy.url, "api.example.com", trusting) as sock:
        assert sock.recv(100) == b"secure"
