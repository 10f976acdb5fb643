"""A TLS connection that one thread reads while another writes."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar


T = TypeVar("T")


class TlsStream:
    """
    Guards a TLS socket, which must not be used by two threads at once.

    OpenSSL's connection objects are not thread-safe, and Python protects them only since 3.12.8
    and 3.13.1: a read and a write that meet can lose data. Waiting happens outside of the lock,
    so that a reader who waits for the server holds no writer up.
    """

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.inner = sock
        self._timeout = sock.gettimeout()
        self._using = threading.Lock()
        sock.settimeout(0)

    def recv_into(self, view: memoryview) -> int:
        """
        Read what is there into *view*, waiting for something; 0 means that the peer has ended.

        Raises:
            TimeoutError: Nothing came in time.
            OSError: The connection broke.
        """
        return self._run(lambda: self.inner.recv_into(view))

    def recv(self, size: int) -> bytes:
        """Read up to *size* bytes; as :meth:`recv_into`."""
        return self._run(lambda: self.inner.recv(size))

    def sendall(self, data: bytes | bytearray) -> None:
        """
        Write *data*.

        Raises:
            TimeoutError: The peer took nothing for too long.
            OSError: The connection broke.
        """
        view = memoryview(data)
        while view:
            # Asked again, OpenSSL wants to see the same data, which a view is.
            part = view
            view = view[self._run(lambda: self.inner.send(part)) :]  # noqa: B023 - called at once

    def settimeout(self, timeout: float | None) -> None:
        """Limit each wait to *timeout* seconds; None has no limit."""
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        """Return the limit of each wait in seconds."""
        return self._timeout

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def _run(self, operation: Callable[[], T]) -> T:
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        while True:
            with self._using:
                try:
                    return operation()
                except ssl.SSLWantReadError:
                    event = select.POLLIN
                except ssl.SSLWantWriteError:
                    event = select.POLLOUT
            _wait(self.inner, event, deadline)


def _wait(sock: socket.socket, event: int, deadline: float | None) -> None:
    left = None if deadline is None else deadline - time.monotonic()
    if left is not None and left <= 0:
        raise TimeoutError("timed out")
    poll = select.poll()
    poll.register(sock.fileno(), event)
    if not poll.poll(None if left is None else max(1, int(left * 1000))):
        raise TimeoutError("timed out")
