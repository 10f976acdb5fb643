"""What a user is told when there is no answer over HTTP: sockets, garbage, TLS, proxies."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator

import pytest
import trustme
import websocket
from packaging.version import Version  # of pytest

from evolution_ws import ConnectError

from .explain_tools import KEY, answering, failure, failure_of, saying
from .raw_server import HOST, Peer, RawServer


# Older versions of websocket-client do not tell what the line was.
_NAMES_LINES = Version(websocket.__version__) >= Version("1.9.1")
NO_HTTP = "Invalid status line: 'SSH-2.0-x" if _NAMES_LINES else "Invalid status line"


# Everything below HTTP


def test_a_closed_port_is_explained() -> None:
    """Nobody listens."""
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]

    error = failure(f"http://{HOST}:{port}")

    assert type(error) is ConnectError
    assert str(error).startswith(f"nobody listens at http://{HOST}:{port}. Start the server")


def test_an_unknown_host_is_explained() -> None:
    """The name has no address."""
    error = failure("http://nothing.invalid")

    assert type(error) is ConnectError
    assert str(error).startswith("the host of http://nothing.invalid is unknown (")


@pytest.mark.parametrize(
    "script", [lambda peer: peer.head(), lambda peer: peer.upgrade()], ids=["HTTP", "websocket"]
)
def test_a_server_that_hangs_up_is_explained(script: Callable[[Peer], object]) -> None:
    """The connection ends before there is an answer."""
    error, url = failure_of(script)

    assert type(error) is ConnectError
    assert str(error).startswith(f"{url} hung up before it answered. Is it starting")


def test_a_server_that_resets_is_explained() -> None:
    """The connection is broken off in the middle."""

    def script(peer: Peer) -> None:
        peer.head()
        peer.reset()

    error, url = failure_of(script)

    assert type(error) is ConnectError
    assert url in str(error)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"SSH-2.0-x\x1b[0m\r\n\r\n", NO_HTTP, id="ssh"),
        pytest.param(b"\r\n\r\n", "Handshake status None", id="empty"),
        pytest.param(b"HTTP/1.1 101 ok\r\n\r\n", "Invalid WebSocket Header", id="half a handshake"),
    ],
)
def test_garbage_is_explained(data: bytes, words: str) -> None:
    """Something else listens at that port."""
    error, url = failure_of(saying(data))

    assert type(error) is ConnectError
    assert str(error).startswith(f"{url} is no websocket server ({words}")
    assert str(error).isprintable()


def test_an_endless_answer_is_explained() -> None:
    """A head that does not end fills no memory."""
    error, url = failure_of(saying(b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000))

    assert type(error) is ConnectError
    assert str(error).startswith(f"cannot connect to {url}: the server's answer to the handshake")


def test_a_silent_server_is_explained() -> None:
    """The time for one attempt is limited."""
    error, url = failure_of(lambda peer: peer.until_gone(), connect_timeout=0.3)

    assert type(error) is ConnectError
    assert str(error) == (
        f"{url} did not answer in time. Check the address, or raise connect_timeout"
    )


def test_a_handshake_that_makes_no_sense_is_explained() -> None:
    """It is a websocket, but no socket.io behind it."""

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.say('0{"sid":5}')
        peer.until_gone()

    error, url = failure_of(script)

    assert type(error) is ConnectError
    assert url in str(error)


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return an authority that nobody trusts by default."""
    return trustme.CA()


@pytest.fixture
def tls_url(authority: trustme.CA) -> Iterator[str]:
    """Return the URL of a TLS server that answers every handshake with 503."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)

    def script(peer: Peer) -> None:
        try:
            peer.sock = context.wrap_socket(peer.sock, server_side=True)
        except ssl.SSLError:  # the client does not trust it
            return
        answering("503 Unavailable")(peer)

    with RawServer(script) as raw:
        yield raw.url.replace("http", "https")


def test_a_certificate_that_is_not_trusted_is_explained(tls_url: str) -> None:
    """The authority is unknown."""
    error = failure(tls_url)

    assert type(error) is ConnectError
    assert str(error).startswith(f"the certificate of {tls_url} was not accepted: ")
    assert "verify='/path/ca.pem'" in str(error)


def test_a_certificate_for_another_name_is_explained(tls_url: str, authority: trustme.CA) -> None:
    """The authority is trusted, the name is wrong."""
    with authority.cert_pem.tempfile() as path:
        error = failure(tls_url, verify=path)

    assert str(error).startswith(f"the certificate of {tls_url} was not accepted: IP address mism")


def test_a_trusted_certificate_leads_to_the_answer(tls_url: str, authority: trustme.CA) -> None:
    """With the right authority and name, the server's own words come through."""
    with authority.cert_pem.tempfile() as path:
        error = failure(tls_url.replace(HOST, "localhost"), verify=path)

    assert "answered HTTP 503" in str(error)


def test_https_to_a_plain_port_is_explained() -> None:
    """The server speaks no TLS."""

    def script(peer: Peer) -> None:
        peer.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.until_gone()

    with RawServer(script) as raw:
        url = raw.url.replace("http", "https")
        error = failure(url)

    assert type(error) is ConnectError
    assert str(error).startswith(f"no TLS with {url} (")
    assert str(error).endswith("Is it http:// behind that port?")


def test_http_to_a_tls_port_is_explained(tls_url: str) -> None:
    """The server speaks nothing but TLS."""
    url = tls_url.replace("https", "http")

    error = failure(url)

    assert type(error) is ConnectError
    assert url in str(error)


# Proxies


def test_a_proxy_that_refuses_is_explained() -> None:
    """The proxy is to blame, not the server; its password stays hidden."""
    with RawServer(answering("407 Proxy Authentication Required")) as proxy:
        address = proxy.url.replace("http://", f"http://user:{KEY}@")
        error = failure("http://api.invalid", proxy=address)

    assert type(error) is ConnectError
    assert str(error).startswith("the proxy on the way to http://api.invalid failed: ")
