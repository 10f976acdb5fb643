"""A TLS connection that is read and written at the same time loses nothing."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator

import pytest
import trustme

from evolution_ws._tls import TlsStream
from tests.helpers import in_thread


MIB = 1024 * 1024


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return contexts of a client and of a server that it trusts."""
    authority = trustme.CA()
    client, server = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(client)
    authority.issue_cert("localhost").configure_cert(server)
    return client, server


@pytest.fixture
def pair(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> Iterator[tuple[TlsStream, TlsStream]]:
    """Return both ends of a connection."""
    client, server = contexts
    ours, theirs = socket.socketpair()
    accepting = in_thread(lambda: server.wrap_socket(theirs, server_side=True))
    near = client.wrap_socket(ours, server_hostname="localhost")
    far = accepting.result()
    near.settimeout(20)
    far.settimeout(20)
    with near, far:
        yield TlsStream(near), TlsStream(far)


def read(stream: TlsStream, size: int) -> bytes:
    """Read exactly *size* bytes."""
    data = bytearray(size)
    view, have = memoryview(data), 0
    while have < size:
        have += stream.recv_into(view[have:])
    return bytes(data)


def test_both_directions_at_once(pair: tuple[TlsStream, TlsStream]) -> None:
    """Megabytes go both ways over one connection, each written and read by a thread of its own."""
    there, back = os.urandom(4 * MIB), os.urandom(4 * MIB)

    writers = [in_thread(pair[0].sendall, there), in_thread(pair[1].sendall, back)]
    readers = [in_thread(read, pair[1], len(there)), in_thread(read, pair[0], len(back))]
    results = [reader.result() for reader in readers]
    for writer in writers:
        writer.result()

    assert [there, back] == results


def test_silence(pair: tuple[TlsStream, TlsStream]) -> None:
    """Silence is a time-out for reader and writer alike."""
    near, _ = pair
    near.settimeout(0.01)
    assert near.gettimeout() == 0.01

    with pytest.raises(TimeoutError):
        near.recv(1)
    with pytest.raises(TimeoutError):
        near.sendall(bytes(64 * MIB))


def test_the_end_is_no_data(pair: tuple[TlsStream, TlsStream]) -> None:
    """A peer that closed is told from one that is silent, without a limit of the wait as well."""
    near, far = pair
    near.settimeout(None)
    far.sendall(b"last")
    far.close()

    assert near.recv(10) == b"last"
    assert near.recv(10) == b""
