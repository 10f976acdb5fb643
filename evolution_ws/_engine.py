"""
The one place that knows how python-socketio and what it stands on can be extended.

What is relied upon, checked with python-socketio 5.12 to 5.18, python-engineio
4.11 to 4.15 and websocket-client 1.6 to 1.9, and guarded by tests:

* ``socketio.Client``: ``reconnection``, ``handle_sigint``, ``logger`` and ``engineio_logger``
  (objects: a bool would add handlers and levels to the user's logging), ``connect(wait=False)``,
  ``eio``;
* ``socketio.packet.Packet``: ``encode()`` and the class attribute ``json``;
* ``engineio.base_client.connected_clients``;
* ``engineio.Client``: ``start_background_task`` (replaced on the instance), ``send``, ``queue``,
  ``ws``, ``read_loop_task``, ``write_loop_task``;
* ``websocket.WebSocket``: ``class_`` of ``create_connection``, the option ``socket``, ``connect``,
  ``recv``, ``recv_frame``, ``pong``, ``send_close``, ``settimeout``, ``sock``, and ``_recv``, from
  which the parent class takes its bytes.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import attrs
import engineio.base_client
import socketio
import socketio.packet
import websocket

from . import _json
from ._dial import Dialer, HandshakeSocket, kill, make_tls_context, proxy_options, remaining
from ._packets import Buffer, PacketReader, ProtocolViolation
from .config import ClientConfig


# One system call takes all frames that wait: each call gives the interpreter lock away, and in a
# busy process it takes 5 ms to get it back.
_READ_SIZE = 256 * 1024
# Frames the kernel has not taken yet. Past this the server does not read.
_MAX_UNSENT = 10_000

# First bytes of unfragmented frames.
_TEXT = 0x81
_WHOLE = frozenset({_TEXT, 0x82})

# What upstream says at any level may hold keys and messages.
_SILENCE = logging.getLogger("evolution_ws.silence")
_SILENCE.addFilter(lambda record: False)
_SILENCE.setLevel(logging.CRITICAL + 1)


class RedirectRefused(OSError):
    """The server redirects; following would carry the key to another origin."""


class Packet(socketio.packet.Packet):  # type: ignore[misc]
    """A packet to send, encoded with this library's JSON and not the process-wide one."""

    json = _json


def encode_event(
    namespace: str, name: str, args: list[Any], number: int | None = None
) -> list[str | bytes]:
    """
    Return the frames of an event.

    Args:
        number:
            Identifies the acknowledgement that is wanted; None for none.
    """
    packet = Packet(socketio.packet.EVENT, data=[name, *args], namespace=namespace, id=number)
    frames = packet.encode()
    return frames if isinstance(frames, list) else [frames]


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
        self._buffer = bytearray(_READ_SIZE)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self._fragments: list[bytes] = []
        self._fragments_size = 0
        self._fragments_text = False

    def connect(self, url: str, **options: Any) -> None:
        """Open the connection, through a proxy if there is one for it."""
        session = self._session
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "wss"
        proxy = proxy_options(session.config.proxy, "https" if secure else "http", host)
        raw = None
        if not proxy:
            context = session.tls_context if secure else None
            raw = session.dialer.dial(host, parts.port or (443 if secure else 80), context)
            options["socket"] = HandshakeSocket(raw, session.deadline)
        try:
            super().connect(url, **options, **proxy)  # type: ignore[no-untyped-call]
        except websocket.WebSocketException as exc:
            answer = self.handshake_response
            if answer is not None and 300 <= answer.status < 400:
                raise RedirectRefused(answer.headers.get("location", "")) from exc
            raise
        self._deadline = session.deadline
        if raw is not None:
            self.sock = raw

    def settimeout(self, timeout: float | None) -> None:
        """Limit the silence of the server; python-engineio calls it when the handshake is done."""
        self._deadline = None
        super().settimeout(timeout)

    def recv(self) -> str | bytes:
        """Handle Socket.IO packets until one comes that is for python-engineio, and return it."""
        feed = self._reader.feed
        while True:
            message = self._next_message()
            if message is None:
                return ""
            if not feed(*message):
                data, start, end, _ = message
                return str(memoryview(data)[start:end], "utf-8")

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
            start = self._start
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
        # Too large for the buffer: read straight into a place of its own.
        whole = bytearray(length)
        view = memoryview(whole)
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
        self._session.last_seen = time.time()
        return size

    def _recv(self, bufsize: int) -> bytes:
        if self._start == self._end:
            self._fill(1)
        end = min(self._start + bufsize, self._end)
        data = bytes(self._view[self._start : end])
        self._start = end
        return data

    def close(self, *_: Any, **__: Any) -> None:
        """End the connection at once; upstream's way may take as long as the server is silent."""
        kill(self.sock)


@attrs.define(eq=False)
class Session:
    """One attempt at a connection, and the connection that came of it. Never used twice."""

    url: str
    path: str
    headers: dict[str, str] = attrs.field(repr=False)
    config: ClientConfig
    reader: PacketReader
    thread_prefix: str
    on_end: Callable[[], object]
    """Called when one of the two threads ends, by that thread."""

    tls_context: Any = None
    last_seen: float = attrs.field(factory=time.time)
    """Unix time at which the server was heard of last."""
    oversized: bool = False
    """Whether the connection ended because of an event beyond the limit."""
    deadline: float = attrs.field(init=False, default=0.0)
    dialer: Dialer = attrs.field(init=False)
    ws: EventSocket | None = attrs.field(init=False, default=None)
    _sio: Any = attrs.field(init=False, default=None)
    _over: bool = attrs.field(init=False, default=False)
    _aborted: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self.deadline = time.monotonic() + self.config.connect_timeout
        self.dialer = Dialer(self.deadline)

    def open(self, namespaces: list[str]) -> None:
        """
        Connect, and ask to join *namespaces*.

        Raises:
            Exception: Whatever went wrong, in upstream's wrapping.
        """
        if self.tls_context is None and self.url.startswith("https"):
            self.tls_context = make_tls_context(self.config.verify, self.config.cert)
        options = {
            "class_": partial(EventSocket, reader=self.reader, session=self),
            "redirect_limit": 0,
            "skip_utf8_validation": True,
            "sslopt": {"context": self.tls_context},
            "origin": self.config.origin,
        }
        self._sio = socketio.Client(
            reconnection=False,
            handle_sigint=False,
            logger=_SILENCE,
            engineio_logger=_SILENCE,
            request_timeout=self.config.connect_timeout,
            timestamp_requests=False,
            websocket_extra_options=options,
        )
        self._sio.eio.start_background_task = self._start_thread
        self._sio.connect(
            self.url,
            headers=dict(self.headers),
            transports=["websocket"],
            namespaces=namespaces,
            socketio_path=self.path,
            wait=False,
        )
        if self._aborted:
            self.abort()

    def _start_thread(self, target: Callable[..., object], *args: Any) -> threading.Thread:
        role = "read" if target.__name__.startswith("_read") else "write"
        name = f"{self.thread_prefix}-{role}"
        thread = threading.Thread(target=self._run, args=(role, target, args), name=name)
        thread.daemon = True  # a connection must not keep the process alive
        thread.start()
        return thread

    def _run(self, role: str, target: Callable[..., object], args: tuple[Any, ...]) -> None:
        try:
            target(*args)
        except Exception:
            # Upstream lets some socket errors escape its loops; the end is reported below.
            self.abort()
        finally:
            if role == "read":
                self._over = True
            self.on_end()

    @property
    def is_over(self) -> bool:
        """Return whether nothing more will come from this session, whatever upstream believes."""
        return self._over

    def is_healthy(self) -> bool:
        """Return whether both threads live. For the supervisor only."""
        eio = self._sio.eio
        tasks = (eio.read_loop_task, eio.write_loop_task)
        return not self._over and all(task is not None and task.is_alive() for task in tasks)

    @property
    def unsent(self) -> int:
        """Return the number of frames that wait to be written to the socket."""
        return self._sio.eio.queue.unfinished_tasks if self._sio else 0

    @property
    def is_stuffed(self) -> bool:
        """Return whether the server takes nothing any more."""
        return self.unsent > _MAX_UNSENT

    def send(self, frames: list[str | bytes]) -> None:
        """Send the frames of one packet. For the supervisor only: packets must not mix."""
        for frame in frames:
            self._sio.eio.send(frame)

    def join(self, namespace: str) -> None:
        """Ask to join *namespace*; must be neither joined nor asked for already."""
        self._control(socketio.packet.CONNECT, namespace)

    def leave(self, namespace: str) -> None:
        """Leave *namespace*."""
        self._control(socketio.packet.DISCONNECT, namespace)

    def _control(self, kind: int, namespace: str) -> None:
        self.send([Packet(kind, namespace=namespace).encode()])

    def close(self, flush: float, grace: float) -> None:
        """
        End the connection in an orderly way. For the supervisor only.

        Args:
            flush:
                Longest time in seconds to write what was emitted.
            grace:
                Longest time in seconds for the server to answer the farewell.
        """
        if self._sio is None or self.ws is None:
            self.abort()
            return
        eio = self._sio.eio
        if not self._flush(eio.queue, flush):
            # The server takes nothing: the writer is stuck, and a farewell would wait behind it.
            self.abort()
        elif not self._over:
            self._say_goodbye(self.ws, grace)
        for task in (eio.read_loop_task, eio.write_loop_task):
            if task is not None:
                task.join(grace)
                if task.is_alive():
                    self.abort()
                    task.join(grace)
        self.ws.shutdown()  # type: ignore[no-untyped-call]

    def _flush(self, queue: Any, seconds: float) -> bool:
        """Wait until everything is written to the socket; return False if it takes too long."""
        deadline = time.monotonic() + seconds
        with queue.all_tasks_done:
            while queue.unfinished_tasks and not self._over:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                queue.all_tasks_done.wait(min(left, 0.05))
        return True

    def _say_goodbye(self, ws: EventSocket, grace: float) -> None:
        # The server has read everything before the close frame when it answers it. Ending without
        # that, the kernel may reset the connection and the last emits are lost.
        try:
            if ws.sock is not None:
                ws.sock.settimeout(grace)
            ws.send_close()
        except (OSError, websocket.WebSocketException):
            self.abort()

    def let_go(self) -> None:
        """Close this process's copy of the socket, in the child of a fork, and nothing else."""
        self._over = True
        for sock in (self.dialer.sock, self.ws.sock if self.ws else None):
            if sock is not None and sock.fileno() >= 0:
                # Neither a frame nor a TLS alert: the connection is the parent's.
                os.close(sock.detach())
        if self._sio is not None and self._sio.eio in engineio.base_client.connected_clients:
            engineio.base_client.connected_clients.remove(self._sio.eio)

    def abort(self) -> None:
        """Cut the connection, or the attempt. Any thread; never blocks, never raises."""
        self._aborted = True
        self.dialer.abort()
        if self.ws is not None:
            kill(self.ws.sock)
