"""
A WebSocket for many events: it reads in large pieces and keeps python-engineio out of their way.

The one place that knows how websocket-client can be extended. What is relied
upon, checked with websocket-client 1.6 to 1.9 and guarded by tests: ``class_`` of
``create_connection``, the option ``socket``, ``connect``, ``recv``, ``recv_frame``, ``pong``,
``send_close``, ``settimeout``, ``sock``, ``handshake_response``, ``_recv``, from which the
parent class takes its bytes, and ``_send``, to which it gives them.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import websocket

from ._dial import HandshakeSocket, check_socks, kill, proxy_options, remaining
from ._packets import Buffer, PacketReader, ProtocolViolation
from ._tls import TlsStream


if TYPE_CHECKING:
    from ._engine import Session


# One system call takes all frames that wait: each call gives the interpreter lock away, and in a
# busy process it takes 5 ms to get it back. With room for several pictures, an event of 200 KB
# costs a quarter less than with 256 KB.
_READ_SIZE = 1024 * 1024
# The first buffer. Clearing a large one takes half a millisecond, a fifth of the time to the first
# event; a connection has it once a read fills this one.
_FIRST_READ_SIZE = 64 * 1024

# Written at once at most.
_WRITE_SIZE = 64 * 1024
# Room for large events that a connection keeps.
_KEEP_SIZE = 4 * 1024 * 1024

# First bytes of unfragmented frames.
_TEXT = 0x81
_WHOLE = frozenset({_TEXT, 0x82})

# Type of the packet with which an Engine.IO server asks for a sign of life.
_PING = "2"
# Types of the other packets that python-engineio gets to see: open, pong, noop.
_FOR_ENGINE = frozenset("036")


class RedirectRefused(OSError):
    """The server redirects; following would carry the key to another origin."""


class EventSocket(websocket.WebSocket):
    """
    A WebSocket that reads in large pieces and hands Socket.IO packets on at once.

    python-engineio sees only its own packets: handshake, ping, close.
    """

    def __init__(self, *, reader: PacketReader, session: Session, **options: Any) -> None:
        super().__init__(**options)
        self._reader = reader
        self._session = session
        session.ws = self
        self._limit = session.config.max_event_bytes
        self._deadline: float | None = None
        self._buffer = bytearray(_FIRST_READ_SIZE)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self._large = bytearray()
        self._outgoing = bytearray()
        self._fragments: list[bytes] = []
        self._fragments_size = 0
        self._fragments_text = False

    def connect(self, url: str, **options: Any) -> None:
        """Open the connection, through a proxy if there is one for it."""
        session = self._session
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "wss"
        port = parts.port or (443 if secure else 80)
        context = session.tls_context if secure else None
        proxy = proxy_options(session.config.proxy, "https" if secure else "http", host)
        shaking = None
        if proxy and proxy["proxy_type"] != "http":
            # Dialed by python-socks, which cannot be aborted but ends in time.
            check_socks()
            options |= proxy | {"http_proxy_timeout": remaining(session.deadline)}
        else:
            dialer = session.dialer
            raw = (
                dialer.dial_through(proxy, host, port, context)
                if proxy
                else dialer.dial(host, port, context)
            )
            options["socket"] = shaking = HandshakeSocket(raw, session.deadline)
        try:
            super().connect(url, **options)  # type: ignore[no-untyped-call]
        except websocket.WebSocketException as exc:
            self._refuse_redirect(exc)
            raise
        except (IndexError, ValueError) as exc:
            if isinstance(exc, OSError):  # a certificate that is refused is a ValueError, too
                raise
            # Before websocket-client 1.9.1 a first line that is not HTTP's is not expected.
            raise websocket.WebSocketException("Invalid status line") from exc
        # Before 1.9.1 a redirect that may not be followed is taken for consent.
        self._refuse_redirect(None)
        self._deadline = session.deadline
        if shaking is not None:
            self.sock = shaking.inner
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock = cast(socket.socket, TlsStream(self.sock))
            self._end = len(shaking.ahead)
            self._buffer[: self._end] = shaking.ahead

    def _refuse_redirect(self, cause: Exception | None) -> None:
        answer = self.handshake_response
        if answer is not None and 300 <= answer.status < 400:
            raise RedirectRefused(answer.headers.get("location", "")) from cause

    def settimeout(self, timeout: float | None) -> None:
        """Limit the silence of the server; python-engineio calls it when the handshake is done."""
        self._deadline = None
        super().settimeout(timeout)

    def recv(self) -> str | bytes:
        """Handle Socket.IO packets until one comes that is for python-engineio, and return it."""
        try:
            text = self._recv_for_engine()
        except BaseException:
            # Nothing will be read any more. python-engineio now waits for its writer, which may be
            # waiting for the server.
            kill(self.sock)
            raise
        if not text:
            kill(self.sock)
        return text

    def _recv_for_engine(self) -> str:
        feed = self._reader.feed
        while True:
            message = self._next_message()
            if message is None:
                return ""
            if not feed(*message):
                data, start, end, _ = message
                text = str(memoryview(data)[start:end], "utf-8")
                if text[:1] == _PING:
                    self._session.note_ping()
                elif text[:1] not in _FOR_ENGINE:
                    # At a close packet python-engineio may lose what ends its writer, and then
                    # waits half a minute for it.
                    raise ProtocolViolation("the server ended the connection, or speaks nonsense")
                return text

    def _next_message(self) -> tuple[Buffer, int, int, bool] | None:
        """Return a message as ``(data, start, end, is_text)``; None when the server closed."""
        while True:
            first, second, header, length = self._peek()
            if first in _WHOLE and second < 0x80 and not self._fragments:
                data, start, end = self._payload(header, length)
                return data, start, end, first == _TEXT
            if second >= 0x80:
                raise websocket.WebSocketProtocolException("a server must not mask its frames")
            # Everything unusual is left to the parent class, which reads from the same buffer.
            frame = self.recv_frame()  # type: ignore[no-untyped-call]
            if frame.opcode == websocket.ABNF.OPCODE_CLOSE:
                self.send_close()
                return None
            if frame.opcode == websocket.ABNF.OPCODE_PING:
                self.pong(frame.data)
            elif frame.opcode != websocket.ABNF.OPCODE_PONG and self._add_fragment(frame):
                whole, self._fragments = b"".join(self._fragments), []
                return whole, 0, len(whole), self._fragments_text

    def _peek(self) -> tuple[int, int, int, int]:
        """Return the next frame's first two bytes, its header's length and its payload's."""
        self._fill(2)
        buffer, start = self._buffer, self._start
        second = buffer[start + 1]
        length, header = second & 0x7F, 2
        if length >= 126:
            header = 4 if length == 126 else 10
            self._fill(header)
            buffer, start = self._buffer, self._start
            length = int.from_bytes(buffer[start + 2 : start + header], "big")
        if length + self._fragments_size > self._limit:
            self._session.oversized = True
            raise ProtocolViolation("an event is larger than max_event_bytes")
        return buffer[start], second, header, length

    def _payload(self, header: int, length: int) -> tuple[Buffer, int, int]:
        if header + length <= _READ_SIZE:
            self._fill(header + length)
            start = self._start + header
            self._start = start + length
            return self._buffer, start, start + length
        # Too large for the buffer: read straight into a place of its own. It is used again,
        # since most of the cost would be the system's clearing of fresh memory.
        whole = self._large if length <= len(self._large) else bytearray(length)
        if length <= _KEEP_SIZE:
            self._large = whole
        view = memoryview(whole)[:length]
        have = self._end - self._start - header
        view[:have] = self._view[self._start + header : self._end]
        self._start = self._end = 0
        while have < length:
            have += self._read_into(view[have:])
        return whole, 0, length

    def _add_fragment(self, frame: Any) -> bool:
        """Keep a piece of a fragmented message; return whether it was the last one."""
        is_first = frame.opcode != websocket.ABNF.OPCODE_CONT
        if is_first is bool(self._fragments):
            raise websocket.WebSocketProtocolException("a fragment out of place")
        if is_first:
            self._fragments_text = frame.opcode == websocket.ABNF.OPCODE_TEXT
        self._fragments.append(frame.data)
        self._fragments_size = 0 if frame.fin else self._fragments_size + len(frame.data)
        return bool(frame.fin)

    def _fill(self, size: int) -> None:
        """Have at least *size* bytes in the buffer."""
        while self._end - self._start < size:
            have = self._end - self._start
            if self._start:
                self._buffer[:have] = self._buffer[self._start : self._end]
                self._start, self._end = 0, have
            self._end += self._read_into(self._view[self._end :])
            if self._end == len(self._buffer) < _READ_SIZE:
                self._grow()

    def _grow(self) -> None:
        """Replace the first buffer by a large one."""
        large = bytearray(_READ_SIZE)
        large[: self._end] = self._view[: self._end]
        self._buffer, self._view = large, memoryview(large)

    def _read_into(self, view: memoryview) -> int:
        sock = self.sock
        if sock is None:
            raise websocket.WebSocketConnectionClosedException("the socket is closed")
        if self._deadline is not None:
            sock.settimeout(remaining(self._deadline))
        try:
            size = sock.recv_into(view)
        except TimeoutError as exc:
            raise websocket.WebSocketTimeoutException("the server is silent") from exc
        if not size:
            raise websocket.WebSocketConnectionClosedException("the server hung up")
        return size

    def _recv(self, bufsize: int) -> bytes:
        if self._start == self._end:
            self._fill(1)
        end = min(self._start + bufsize, self._end)
        data = bytes(self._view[self._start : end])
        self._start = end
        return data

    def _send(self, data: str | bytes) -> int:
        # Each system call gives the interpreter lock away, so frames behind which others wait go
        # out together with them. The last one of a burst, and what is sent while nothing else
        # waits, leaves at once.
        self._outgoing += data.encode() if isinstance(data, str) else data
        if self._session.unsent > 1 and len(self._outgoing) < _WRITE_SIZE:
            return len(data)
        sock, self._outgoing, outgoing = self.sock, bytearray(), self._outgoing
        if sock is None:
            raise websocket.WebSocketConnectionClosedException("the socket is closed")
        sock.sendall(outgoing)
        return len(data)

    def close(self, *_: Any, **__: Any) -> None:
        """End the connection at once; upstream's way may take as long as the server is silent."""
        kill(self.sock)
