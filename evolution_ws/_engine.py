"""
The one place that knows how python-socketio and python-engineio can be extended.

What is relied upon, checked with python-socketio 5.12 to 5.18 and
python-engineio 4.11 to 4.15, and guarded by tests:

* ``socketio.Client``: ``reconnection``, ``handle_sigint``, ``logger`` and ``engineio_logger``
  (objects: a bool would add handlers and levels to the user's logging), ``connect(wait=False)``,
  ``eio``;
* ``socketio.packet.Packet``: ``encode()`` and the class attribute ``json``;
* ``engineio.base_client.connected_clients``;
* ``engineio.Client``: ``start_background_task`` (replaced on the instance), ``send``, ``queue``,
  ``disconnect(abort=True)``, ``read_loop_task``, ``write_loop_task``.

:mod:`evolution_ws._websocket` does the same for websocket-client.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import engineio.base_client
import socketio
import socketio.packet
import websocket

from . import _json
from ._dial import Dialer, kill, make_tls_context
from ._packets import PacketReader
from ._websocket import EventSocket
from .config import ClientConfig


# Frames the kernel has not taken yet. Past this the server does not read.
_MAX_UNSENT = 10_000

# Seconds between two looks at what is still unsent when a connection ends.
_FLUSH_POLL = 0.002

# What upstream says at any level may hold keys and messages.
_SILENCE = logging.getLogger("evolution_ws.silence")
_SILENCE.addFilter(lambda record: False)
_SILENCE.setLevel(logging.CRITICAL + 1)


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
    complete_until: float = attrs.field(factory=time.time)
    """Unix time up to which everything that the server emitted has arrived for certain."""
    oversized: bool = False
    """Whether the connection ended because of an event beyond the limit."""
    deadline: float = attrs.field(init=False, default=0.0)
    dialer: Dialer = attrs.field(init=False)
    ws: EventSocket | None = attrs.field(init=False, default=None)
    _sio: Any = attrs.field(init=False, default=None)
    _over: bool = attrs.field(init=False, default=False)
    _aborted: bool = attrs.field(init=False, default=False)
    _pinged_at: float = attrs.field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self.deadline = time.monotonic() + self.config.connect_timeout
        self.dialer = Dialer(self.deadline)
        self._pinged_at = self.complete_until

    def note_ping(self) -> None:
        """Note a ping, before which everything has arrived that was emitted before it."""
        # On a slow line what arrives now may have been emitted long ago, and the rest of it may
        # be lost. A ping tells when it was sent: an interval after the answer to the last one.
        now = time.time()
        interval = self.reader.opened.ping_interval if self.reader.opened else 0.0
        self.complete_until = max(self.complete_until, min(now, self._pinged_at + interval))
        self._pinged_at = now

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
        if eio.read_loop_task is None:
            # No reader was started, and nothing else ends a writer. Upstream empties the queue.
            eio.disconnect(abort=True)
            eio.queue.put(None)
        for task in (eio.read_loop_task, eio.write_loop_task):
            if task is not None:
                task.join(grace)
                if task.is_alive():
                    self.abort()
                    task.join(grace)
        self.ws.shutdown()  # type: ignore[no-untyped-call]
        self._forget()

    def _flush(self, queue: Any, seconds: float) -> bool:
        """Wait until everything is written to the socket; return False if it takes too long."""
        # Looking again and again, since the queue's condition has no place in gevent's queue.
        deadline = time.monotonic() + seconds
        while queue.unfinished_tasks and not self._over:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_FLUSH_POLL)
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
        self._forget()

    def _forget(self) -> None:
        # What is in this list is disconnected by upstream's handler of SIGINT, if somebody has
        # installed it, and a loop that could not be started or has failed stays in it.
        clients = engineio.base_client.connected_clients
        if self._sio is not None and self._sio.eio in clients:
            clients.remove(self._sio.eio)

    def abort(self) -> None:
        """Cut the connection, or the attempt. Any thread; never blocks, never raises."""
        self._aborted = True
        self.dialer.abort()
        if self.ws is not None:
            kill(self.ws.sock)
