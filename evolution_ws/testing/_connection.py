"""One TCP connection of an embedded server: HTTP first, a WebSocket after an upgrade."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import struct
from collections.abc import Callable
from typing import TypeAlias

import h11

from ._http import HttpAnswer, HttpReader, HttpRequest
from ._loop import Loop


READ_SIZE = 262_144
"""Bytes read from a socket at a time; more than a TLS record, so that none is left half read."""

NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a socket raises when a call has to be repeated once it is ready again."""

GOODBYE = 1.0
"""Seconds that a client has to close its side after the server has closed its own."""

Serve: TypeAlias = Callable[["Connection", HttpRequest], None]


class Connection:
    """
    An accepted socket with its output buffer.

    Args:
        loop: The loop that watches the socket.
        sock: The accepted socket, which does not block.
        peer: Address of its other end.
        serve: Called with each HTTP request; answers it now or later.
        closed: Called once when the connection has ended.

    Threads:
        Everything is called with the server's lock held.
    """

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        peer: str,
        *,
        serve: Serve,
        closed: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._serve = serve
        self._closed = closed
        self._out = bytearray()
        self._flush_due = False
        self._ending = False
        self.is_closed = False
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._http = HttpReader(peer)
        self.receive: Callable[[bytes], None] = self._receive_http
        """Where the bytes go that arrive; replaced by an upgrade."""

        self.ended: Callable[[], None] = lambda: None
        """Called once when the connection ends; set by an upgrade."""

        loop.watch(sock, selectors.EVENT_READ, self._ready)

    @property
    def pending(self) -> int:
        """Number of bytes that wait to be sent."""
        return len(self._out)

    def write(self, data: bytes) -> None:
        """Send *data* as soon as the socket takes it."""
        if self.is_closed or self._ending:
            return
        self._out += data
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def answer(self, answer: HttpAnswer) -> None:
        """Answer the request that was served last."""
        if self.is_closed:
            return
        data, last = self._http.answer(answer)
        self.write(data)
        if last:
            self.finish()
        else:
            self._serve_next()

    def upgrade(self, receive: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        """Hand everything that arrives from now on to *receive*."""
        self.receive = receive
        self.ended = ended
        leftover = self._http.leftover()
        if leftover:
            receive(leftover)

    def finish(self) -> None:
        """Send what is pending, then close in an orderly way."""
        if self._ending or self.is_closed:
            return
        self._ending = True
        self._loop.call_later(GOODBYE, self.close)
        self._loop.call_soon(self._flush)

    def close(self, *, reset: bool = False) -> None:
        """Close at once; *reset* makes it a hard one (RST instead of FIN)."""
        if self.is_closed:
            return
        self.is_closed = True
        self._loop.forget(self._sock)
        with contextlib.suppress(OSError):
            if reset:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self._out.clear()
        self.ended()
        self._closed(self)

    def _ready(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush()
        if events & selectors.EVENT_READ and not self.is_closed:
            self._read()

    def _read(self) -> None:
        try:
            data = self._sock.recv(READ_SIZE)
        except NOT_NOW:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
        elif not self._ending:
            self.receive(data)

    def _flush(self) -> None:
        self._flush_due = False
        if self.is_closed:
            return
        try:
            while self._out:
                del self._out[: self._sock.send(self._out)]
        except NOT_NOW:
            pass
        except OSError:  # pragma: no cover - the end came between select and send
            self.close()
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        self._loop.watch(self._sock, wanted, self._ready)
        if self._ending and not self._out:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)

    def _receive_http(self, data: bytes) -> None:
        self._http.feed(data)
        self._serve_next()

    def _serve_next(self) -> None:
        try:
            for request in self._http.requests():
                self._serve(self, request)
                return
        except h11.RemoteProtocolError:
            self.close()
