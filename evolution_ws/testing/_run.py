"""One run of an embedded server, from its start to its stop."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus

from attrs import define, field

from ._auth import socket_refusal
from ._connection import Connection
from ._engineio import Session
from ._http import HttpAnswer, HttpRequest
from ._hub import Hub, Member
from ._loop import Loop
from ._options import Options
from ._packets import Packet
from ._problems import no_route


HOST = "127.0.0.1"
STOP_TIMEOUT = 1.5
"""Seconds that stop() waits for an *ack* function that does not return."""

HANDSHAKE_CODES = {
    0: "Transport unknown",
    1: "Session ID unknown",
    2: "Bad handshake method",
    3: "Bad request",
    5: "Unsupported protocol version",
}


@define
class Fault:
    """An answer to give instead of the right one, a number of times."""

    status: int
    body: str = field(default="", repr=False)
    times: int | None = None
    """None: until further notice."""

    def strike(self) -> bool:
        """Whether the fault applies to this request."""
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


@define
class Faults:
    """What goes wrong at present."""

    handshake: Fault | None = None
    rest: Fault | None = None


class Run:
    """
    The listening socket, the connections and the namespaces.

    Args:
        options: The server's options.
        changed: The server's lock; notified after every change.
        faults: What goes wrong at present.
        rest: Called with every request that is not for the socket.
        emitted: Called with each event from a client.
    """

    def __init__(
        self,
        options: Options,
        changed: threading.Condition,
        faults: Faults,
        *,
        rest: Callable[[Connection, HttpRequest], None],
        emitted: Callable[[Member, Packet], None],
    ) -> None:
        self._options = options
        self._changed = changed
        self._faults = faults
        self._rest = rest
        self._connections: set[Connection] = set()
        self.loop = Loop(changed)
        self.hub = Hub(self.loop, options, changed=changed.notify_all, emitted=emitted)
        self.is_stopped = False

    def start(self, listener: socket.socket) -> None:
        """Listen on *listener*, which is bound already."""
        self._listener = listener
        listener.listen(128)
        listener.setblocking(False)
        self.loop.watch(listener, selectors.EVENT_READ, self._accept)
        self.loop.start()

    def stop(self) -> None:
        """Close everything; clients see their TCP connections end, without a close frame."""
        self.is_stopped = True
        self.loop.stop(STOP_TIMEOUT)
        with self._changed:
            self.loop.forget(self._listener)
            self._listener.close()
            self.drop(reset=False)

    def drop(self, *, reset: bool = True) -> None:
        """Close all TCP connections at once; the caller holds the lock."""
        for connection in list(self._connections):
            connection.close(reset=reset)

    @property
    def pending(self) -> int:
        """Number of bytes that wait to be sent; the caller holds the lock."""
        return sum(connection.pending for connection in self._connections)

    def _accept(self, events: int) -> None:
        try:
            sock, address = self._listener.accept()
            sock.setblocking(False)
        except OSError:  # pragma: no cover - the client was gone already
            return
        if self._options.ssl_context is not None:
            # The handshake takes place with the first reads: a client that drags
            # it out holds nobody else up.
            sock = self._options.ssl_context.wrap_socket(
                sock, server_side=True, do_handshake_on_connect=False
            )
        self._connections.add(
            Connection(
                self.loop,
                sock,
                address[0],
                serve=self._serve,
                closed=self._connections.discard,
            )
        )

    def _serve(self, connection: Connection, request: HttpRequest) -> None:
        if not request.path.startswith("/socket.io/"):
            self._rest(connection, request)
        elif not self._options.websocket_enabled:
            connection.answer(no_route(request.method, request.target).answer())
        else:
            self._shake_hands(connection, request)

    def _shake_hands(self, connection: Connection, request: HttpRequest) -> None:
        code = _handshake_code(request)
        if code is not None:
            connection.answer(_refused(request, code, HANDSHAKE_CODES[code]))
            return
        fault = self._faults.handshake
        if fault is not None and fault.strike():
            connection.answer(_faulty(request, fault))
            return
        refusal = socket_refusal(self._options, request)
        if refusal is not None:
            connection.answer(_refused(request, 4, refusal))
        elif request.is_upgrade:
            self._open(connection, request)
        else:
            connection.answer(_refused(request, 0, HANDSHAKE_CODES[0]))

    def _open(self, connection: Connection, request: HttpRequest) -> None:
        session = Session(
            self.loop,
            self._options,
            connection,
            request,
            message=self.hub.receive,
            ended=self.hub.remove,
        )
        self.hub.add(session)
        session.start()


def bind(port: int) -> socket.socket:
    """Return a socket bound to *port* on loopback, 0 being any free one."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except BaseException:
        listener.close()
        raise
    return listener


def _handshake_code(request: HttpRequest) -> int | None:
    """Return the Engine.IO error of a request that cannot be a handshake."""
    query = request.query
    # Long polling is not offered: a client that insists on it is told so.
    if query.get("transport") not in ("websocket", "polling"):
        return 0
    if query.get("sid"):
        return 1
    if request.method != "GET":
        return 2
    if query["transport"] == "websocket" and not request.is_upgrade:
        return 3
    return None if query.get("EIO") == "4" else 5


def _refused(request: HttpRequest, code: int, message: str) -> HttpAnswer:
    if request.is_upgrade:
        return HttpAnswer(400, message.encode(), "text/html", close=True)
    status = HTTPStatus.FORBIDDEN if code == 4 else HTTPStatus.BAD_REQUEST
    return HttpAnswer.json(status, {"code": code, "message": message})


def _faulty(request: HttpRequest, fault: Fault) -> HttpAnswer:
    if fault.status == HTTPStatus.BAD_REQUEST:
        return _refused(request, 4, fault.body)
    return HttpAnswer(fault.status, fault.body.encode(), "text/html", close=True)
