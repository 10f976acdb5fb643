"""Opening connections: addresses, deadlines, aborting, the handshake's socket."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from evolution_ws._dial import (
    Dialer,
    HandshakeSocket,
    kill,
    make_tls_context,
    remaining,
)

from .core_tools import black_hole
from .helpers import CEILING, MS, in_thread, wait_until
from .raw_server import HOST, Peer, RawServer


def soon(seconds: float = CEILING) -> float:
    """Return a deadline."""
    return time.monotonic() + seconds


def read_all(sock: HandshakeSocket, size: int, sizes: list[int] | None = None) -> None:
    """Read piece by piece for ever; note the sizes of the pieces."""
    while data := sock.recv(size):
        if sizes is not None:
            sizes.append(len(data))


def wait(peer: Peer) -> None:
    """Serve a client that says nothing."""
    peer.until_gone()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return an authority of our own."""
    return trustme.CA()


# Dialing


def test_dial_returns_a_connected_socket_within_the_deadline() -> None:
    """It has a timeout, sends at once and is kept alive."""
    with RawServer(wait) as raw:
        dialer = Dialer(soon(5))
        port = int(raw.url.rpartition(":")[2])
        with dialer.dial(HOST, port, None) as sock:
            timeout = sock.gettimeout()
            assert timeout is not None
            assert 0 < timeout <= 5
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert dialer.sock is sock


def test_dial_tries_the_addresses_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Families that the machine lacks and addresses where nobody listens are passed over."""
    with socket.create_server((HOST, 0)) as listener:
        closed = listener.getsockname()
    with RawServer(wait) as raw:
        port = int(raw.url.rpartition(":")[2])
        answers: list[Any] = [
            (socket.AF_AX25, socket.SOCK_STREAM, 0, "", ("unknown family",)),
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", closed),
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", (HOST, port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)

        with Dialer(soon()).dial("api.invalid", 1, None) as sock:
            assert sock.getpeername() == (HOST, port)


def test_an_address_that_leads_nowhere_leaves_time_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A host with a broken IPv6 address is reached over IPv4 within the same attempt."""
    with RawServer(wait) as raw, black_hole() as hole:
        addresses = [(HOST, int(url.rpartition(":")[2])) for url in (hole, raw.url)]
        answers = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)

        with Dialer(soon(400 * MS)).dial("api.invalid", 1, None) as sock:
            assert sock.getpeername() == addresses[1]


def test_dial_raises_the_last_problem() -> None:
    """Nobody listens."""
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(ConnectionRefusedError):
        Dialer(soon()).dial(HOST, port, None)


def test_dial_without_an_address_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may have none."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])

    with pytest.raises(OSError, match=r"no address for api\.invalid"):
        Dialer(soon()).dial("api.invalid", 1, None)


def test_dial_ends_with_its_deadline() -> None:
    """A host that does not answer holds nobody up for longer."""
    with black_hole() as url, pytest.raises(TimeoutError):
        Dialer(soon(50 * MS)).dial(HOST, int(url.rpartition(":")[2]), None)


def test_dial_after_its_deadline_does_not_begin() -> None:
    """There is no time left."""
    with RawServer(wait) as raw, pytest.raises(TimeoutError, match="used up"):
        Dialer(soon(-1)).dial(HOST, int(raw.url.rpartition(":")[2]), None)


def test_abort_ends_a_dial_that_waits() -> None:
    """From another thread, at once."""
    with black_hole() as url:
        dialer = Dialer(soon(600))
        task = in_thread(dialer.dial, HOST, int(url.rpartition(":")[2]), None)
        wait_until(lambda: dialer.sock is not None)

        while not task.is_done:  # between socket() and connect() there is nothing to shut down
            dialer.abort()
        with pytest.raises(OSError, match=r".+"):
            task.result()


def test_abort_before_the_dial_keeps_it_from_connecting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No other address is tried, and nothing reaches the server."""
    with RawServer(wait) as raw:
        port = int(raw.url.rpartition(":")[2])
        answers = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (HOST, port))] * 2
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
        dialer = Dialer(soon())
        dialer.abort()

        with pytest.raises(ConnectionAbortedError, match="given up"):
            dialer.dial(HOST, port, None)

        assert raw.connections == 0


# TLS


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[RawServer]:
    """Return a TLS server."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)

    def script(peer: Peer) -> None:
        try:
            peer.sock = context.wrap_socket(peer.sock, server_side=True)
        except ssl.SSLError:
            return
        peer.until_gone()

    with RawServer(script) as raw:
        yield raw


def test_dial_speaks_tls(tls_server: RawServer, authority: trustme.CA, tmp_path: Path) -> None:
    """The handshake is done when the socket is returned."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    dialer = Dialer(soon())
    port = int(tls_server.url.rpartition(":")[2])

    with dialer.dial("localhost", port, make_tls_context(str(path), None)) as sock:
        assert isinstance(sock, ssl.SSLSocket)
        assert sock.version() is not None
        assert dialer.sock is sock


def test_a_certificate_that_is_refused_is_not_tried_at_another_address(
    tls_server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next address of a host has the same certificate."""
    port = int(tls_server.url.rpartition(":")[2])
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (HOST, port))] * 3
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)

    with pytest.raises(ssl.SSLCertVerificationError):
        Dialer(soon()).dial("localhost", port, make_tls_context(True, None))

    assert tls_server.connections == 1


def test_abort_ends_a_tls_handshake_that_hangs() -> None:
    """A server that accepts and says nothing holds nobody up."""
    with RawServer(wait) as raw:
        dialer = Dialer(soon(600))
        port = int(raw.url.rpartition(":")[2])
        task = in_thread(dialer.dial, HOST, port, make_tls_context(False, None))
        wait_until(lambda: isinstance(dialer.sock, ssl.SSLSocket))

        dialer.abort()

        with pytest.raises(OSError, match=r".+"):
            task.result()


# The handshake's socket


def test_a_handshake_ends_with_its_deadline_however_often_a_byte_comes() -> None:
    """Each read gets what is left of the time."""
    with RawServer(lambda peer: peer.drip(b"x", 5 * MS)) as raw:
        deadline = soon(60 * MS)
        with Dialer(deadline).dial(HOST, int(raw.url.rpartition(":")[2]), None) as inner:
            sock = HandshakeSocket(inner, deadline)

            with pytest.raises(TimeoutError):
                read_all(sock, 1)

    assert time.monotonic() >= deadline


def test_a_handshake_reads_only_so_much() -> None:
    """An endless head fills no memory."""

    def flood(peer: Peer) -> None:
        while True:
            peer.raw(b"x" * 65_536)

    sizes: list[int] = []
    with (
        RawServer(flood) as raw,
        Dialer(soon()).dial(HOST, int(raw.url.rpartition(":")[2]), None) as inner,
        pytest.raises(OSError, match="does not end"),
    ):
        read_all(HandshakeSocket(inner, soon()), 4096, sizes)

    assert 60_000 < sum(sizes) <= 65_536


def test_a_handshake_socket_is_the_socket_in_everything_else() -> None:
    """What upstream does with it reaches the socket."""
    left, right = socket.socketpair()
    with left, right:
        HandshakeSocket(left, soon()).sendall(b"hello")

        assert right.recv(10) == b"hello"


def test_a_handshake_does_not_wait_for_nothing() -> None:
    """A body of no bytes is there at once, though the server says no more."""
    left, right = socket.socketpair()
    with left, right:
        assert HandshakeSocket(left, soon()).recv(0) == b""


def test_a_handshake_keeps_what_it_read_too_far() -> None:
    """The first frames may come together with the end of the head."""
    left, right = socket.socketpair()
    with left, right:
        right.sendall(b"head\r\n\r\nframe")
        sock = HandshakeSocket(left, soon())

        head = b"".join(sock.recv(1) for _ in range(8))

        assert (head, sock.ahead) == (b"head\r\n\r\n", b"frame")
        assert (sock.recv(3), sock.recv(100)) == (b"fra", b"me")


# Small things


def test_remaining_counts_down_to_a_timeout() -> None:
    """What is left is positive, or nothing is left."""
    assert 0 < remaining(soon(5)) <= 5

    with pytest.raises(TimeoutError, match="used up"):
        remaining(time.monotonic())


def test_kill_never_raises() -> None:
    """Whatever state the socket is in."""
    left, right = socket.socketpair()
    with left, right:
        kill(HandshakeSocket(left, soon()))
        assert right.recv(1) == b""
        kill(left)
    kill(left)
    kill(None)
