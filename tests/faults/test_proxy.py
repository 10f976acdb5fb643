"""The proxy does to connections what it is told, and nothing else."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.pipes import dated
from tests.faults.proxy import Proxy
from tests.helpers import wait_until


SOCKET = b"GET /socket.io/?x=1 HTTP/1.1\r\n"
REST = b"GET / HTTP/1.1\r\n"


class Echo:
    """A server that sends back what it gets, until the client's end."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.seen: list[bytes] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            try:
                while data := sock.recv(65536):
                    self.seen.append(data)
                    sock.sendall(data)
            except OSError:
                return

    def close(self) -> None:
        """Listen no more."""
        with contextlib.suppress(OSError):  # closed already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    """Return a server that sends back what it gets."""
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    """Return a proxy before :func:`echo`."""
    with Proxy(lambda: echo.port, lambda: echo.port) as started:
        yield started


def dial(proxy: Proxy, head: bytes = SOCKET) -> socket.socket:
    """Return a connection that has brought its first line to the server and back."""
    sock = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    sock.sendall(head)
    assert head == receive(sock, len(head))
    return sock


def receive(sock: socket.socket, size: int) -> bytes:
    """Return *size* bytes, or fewer when the connection ends before."""
    data = b""
    while len(data) < size and (piece := sock.recv(size - len(data))):
        data += piece
    return data


def test_bytes_pass_unchanged(proxy: Proxy) -> None:
    """A megabyte goes there and back."""
    payload = bytes(range(256)) * 4096
    with dial(proxy) as sock:
        threading.Thread(target=sock.sendall, args=(payload,), daemon=True).start()

        assert payload == receive(sock, len(payload))


def test_an_end_is_passed_on(proxy: Proxy) -> None:
    """When both sides have ended, the proxy has, too."""
    with dial(proxy) as sock:
        sock.shutdown(socket.SHUT_WR)

        assert b"" == sock.recv(1)
    wait_until(lambda: proxy.links == 0)


def test_reset_hits_the_chosen_kind(proxy: Proxy) -> None:
    """A reset of the socket's connections leaves those of REST alone."""
    with dial(proxy, SOCKET) as events, dial(proxy, REST) as rest:
        assert 1 == proxy.reset(rest=False)
        with pytest.raises(ConnectionResetError):
            events.recv(1)
        rest.sendall(b"x")

        assert b"x" == rest.recv(1)


def test_half_open_swallows_everything(proxy: Proxy, echo: Echo) -> None:
    """Nothing arrives any more, and nobody is told."""
    with dial(proxy) as sock:
        assert 1 == proxy.half_open()
        sock.sendall(b"lost")
        sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            sock.recv(1)

        assert [SOCKET] == echo.seen


def test_new_connections_are_swallowed(proxy: Proxy) -> None:
    """A network that swallows everything accepts, and says nothing."""
    proxy.set(swallow=True)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=0.1) as sock:
        sock.sendall(SOCKET)
        with pytest.raises(TimeoutError):
            sock.recv(1)


def test_cut_after_a_number_of_bytes(proxy: Proxy) -> None:
    """Exactly as many bytes arrive as were granted, then the connection is reset."""
    with dial(proxy) as sock:
        proxy.cut_after(3)
        sock.sendall(b"abcdef")

        assert b"abc" == receive(sock, 3)
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_latency_delays(proxy: Proxy) -> None:
    """A byte takes the time of both directions."""
    with dial(proxy) as sock:
        proxy.set(latency=0.05)
        begin = time.monotonic()
        sock.sendall(b"x")
        sock.recv(1)

        assert time.monotonic() - begin >= 0.1


def test_bandwidth_limits(proxy: Proxy) -> None:
    """A slow line needs its time, and a good one again takes none."""
    with dial(proxy) as sock:
        proxy.set(bandwidth=2_000)
        begin = time.monotonic()
        sock.sendall(b"x" * 400)
        receive(sock, 400)
        took = time.monotonic() - begin
        sock.sendall(b"x" * 40_000)
        proxy.clear()

        assert b"x" * 40_000 == receive(sock, 40_000)
        assert 0.2 <= took
        assert time.monotonic() - begin < 10


@pytest.mark.parametrize("field", ["socket_refused", "rest_refused"])
def test_one_kind_is_refused(proxy: Proxy, field: str) -> None:
    """The refused kind of connection is reset, the other one works."""
    proxy.set(**{field: True})
    bad, good = (SOCKET, REST) if field == "socket_refused" else (REST, SOCKET)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as sock:
        sock.sendall(bad)
        with pytest.raises(ConnectionResetError):
            sock.recv(1)

    dial(proxy, good).close()


def test_a_server_that_is_down(proxy: Proxy, echo: Echo) -> None:
    """A connection whose server does not listen is reset."""
    echo.close()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as sock:
        sock.sendall(SOCKET)

        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_dated() -> None:
    """The Date header goes behind the status line, and only there."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    assert answer == dated(answer, None)
    assert b"more body" == dated(b"more body", 5.0)
    assert dated(answer, 5.0).startswith(b"HTTP/1.1 200 OK\r\nDate: ")
    assert dated(answer, 5.0).endswith(b" GMT\r\nContent-Length: 0\r\n\r\n")
