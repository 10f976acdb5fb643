"""One connection through the proxy: two pipes, as slow, lossy and short-lived as told."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from email.utils import formatdate

import attrs


# What may wait in a pipe; past this the sender's own buffers fill, as on a real slow line.
_MOST = 64 * 1024
# A slow line delivers this many seconds' worth of bytes at a time.
_GRAIN = 0.02
_STATUS_LINE = re.compile(rb"\AHTTP/1\.1 \d{3} [^\r]*\r\n")
_READ = 64 * 1024


@attrs.define
class Weather:
    """How the line behaves at present; times in seconds, rates in bytes per second."""

    latency: float = 0.0
    jitter: float = 0.0
    bandwidth: float | None = None
    """None: as fast as the machine."""
    swallow: bool = False
    """Whether everything vanishes, also on new connections."""
    socket_refused: bool = False
    """Whether connections to ``/socket.io`` are reset."""
    rest_refused: bool = False
    """Whether all other connections are reset."""
    clock_skew: float | None = None
    """How far the server's ``Date`` header is ahead; None: it sends none."""


@attrs.define(eq=False)
class Pipe:
    """One direction of a connection."""

    source: socket.socket
    target: socket.socket
    dice: random.Random
    rewrite: Callable[[bytes], bytes] | None = None
    """Changes what is read, before it is passed on."""
    dead: bool = False
    """Whether what is read vanishes; the end of the stream does, too."""
    ended: bool = False
    """Whether the source sends nothing more."""
    shut: bool = False
    """Whether the target was told so."""
    cut_after: int | None = None
    """Bytes that still pass before the connection is cut; None: it is not."""
    _queue: deque[tuple[float, bytes]] = attrs.field(factory=deque)
    _size: int = 0
    _last_due: float = 0.0

    @property
    def wants_data(self) -> bool:
        """Whether there is room for more."""
        return not self.ended and (self.dead or self._size < _MOST)

    def read(self, weather: Weather) -> None:
        """Take what the source has sent. Raises OSError when the source is gone."""
        data = self.source.recv(_READ)
        if not data:
            self.ended = True
            return
        if self.dead:
            return
        if self.rewrite is not None:
            data = self.rewrite(data)
        self._plan(data, weather)

    def _plan(self, data: bytes, weather: Weather) -> None:
        now = time.monotonic()
        due = max(self._last_due, now + weather.latency + self.dice.random() * weather.jitter)
        step = len(data)
        if weather.bandwidth is not None:
            step = max(1, int(weather.bandwidth * _GRAIN))
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            if weather.bandwidth is not None:
                due += len(piece) / weather.bandwidth
            self._queue.append((due, piece))
        self._size += len(data)
        self._last_due = due

    def hurry(self) -> None:
        """Deliver what waits at once: the line is good again."""
        self._queue = deque((0.0, piece) for _, piece in self._queue)
        self._last_due = 0.0

    @property
    def next_due(self) -> float | None:
        """When the next piece is to be written, or the end told; None: nothing waits."""
        if self._queue:
            return self._queue[0][0]
        return 0.0 if self.ended and not self.shut and not self.dead else None

    def write(self) -> bool:
        """Pass on what is due; return whether the connection has to be cut now."""
        now = time.monotonic()
        while self._queue and self._queue[0][0] <= now:
            due, piece = self._queue.popleft()
            if self.dead:
                self._size -= len(piece)
                continue
            allowed = piece if self.cut_after is None else piece[: self.cut_after]
            try:
                sent = self.target.send(allowed) if allowed else 0
            except BlockingIOError:
                self._queue.appendleft((due, piece))
                return False
            self._size -= sent
            if self.cut_after is not None:
                self.cut_after -= sent
                if self.cut_after <= 0:
                    return True
            if sent < len(piece):
                self._queue.appendleft((due, piece[sent:]))
        if self.ended and not self._queue and not self.shut and not self.dead:
            self.shut = True
            with contextlib.suppress(OSError):
                self.target.shutdown(socket.SHUT_WR)
        return False


@attrs.define(eq=False)
class Link:
    """A client's connection, its counterpart at the server, and the pipes between them."""

    client: socket.socket
    is_rest: bool = False
    server: socket.socket | None = None
    head: bytes = b""
    """What the client has sent before its counterpart is known."""
    is_swallowed: bool = False
    up: Pipe | None = None
    down: Pipe | None = None

    def open(
        self, server: socket.socket, is_rest: bool, weather: Weather, dice: random.Random
    ) -> None:
        """Connect both sides."""
        server.setblocking(False)
        self.server, self.is_rest = server, is_rest
        self.up = Pipe(self.client, server, dice)
        self.down = Pipe(server, self.client, dice)
        if is_rest:
            self.down.rewrite = lambda data: dated(data, weather.clock_skew)
        self.up._plan(self.head, weather)

    @property
    def pipes(self) -> list[Pipe]:
        """The pipes that exist."""
        return [pipe for pipe in (self.up, self.down) if pipe is not None]

    @property
    def is_over(self) -> bool:
        """Whether both sides have ended, and know it of each other where anything passes."""
        return bool(self.pipes) and all(
            pipe.shut or (pipe.dead and pipe.ended) for pipe in self.pipes
        )

    def die(self) -> None:
        """Let everything vanish from now on: neither side hears of the other again."""
        self.is_swallowed = True
        for pipe in self.pipes:
            pipe.dead = True

    def close(self, reset: bool) -> None:
        """Close both sides; *reset*: with a TCP reset."""
        for sock in (self.client, self.server):
            if sock is not None:
                if reset:
                    linger = struct.pack("ii", 1, 0)
                    with contextlib.suppress(OSError):
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                sock.close()


def dated(data: bytes, skew: float | None) -> bytes:
    """Return the beginning of an HTTP answer with the ``Date`` of a clock that is *skew* ahead."""
    line = _STATUS_LINE.match(data)
    if skew is None or line is None:
        return data
    date = formatdate(time.time() + skew, usegmt=True).encode()
    return line[0] + b"Date: " + date + b"\r\n" + data[line.end() :]
