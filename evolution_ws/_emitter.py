"""Events from this side to the server."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from ._address import Address
from ._connection import Connection
from ._engine import Session, encode_event
from .exceptions import (
    ClientClosed,
    ConfigError,
    ConnectionLost,
    NotConnectedError,
    PayloadTooLarge,
    QueueOverflow,
)
from .state import ConnectionState, NamespaceState


# socket.io keeps these for itself: emitting one makes the server cut the whole connection.
_RESERVED = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)


class Emitter:
    """Checks and encodes on the caller's thread; the supervisor sends."""

    def __init__(
        self, address: Address, connection: Connection, start: Callable[[], object]
    ) -> None:
        self._address = address
        self._connection = connection
        self._start = start
        self._counting = threading.Lock()
        self.emitted = 0

    def after_fork(self) -> None:
        """Take a lock that no thread of the parent holds."""
        self._counting = threading.Lock()

    def emit(
        self, event: str, data: Any, instance: str | None, namespace: str | None, wait: float | None
    ) -> None:
        """Send an event; see :meth:`evolution_ws.Client.emit`."""
        target = self._namespace(instance, namespace)
        args = _arguments(event, data)
        session = self._session(target, wait)
        self._send(session, _encoded(target, event, args))

    def call(
        self, event: str, data: Any, instance: str | None, namespace: str | None, timeout: float
    ) -> Any:
        """Send an event and wait for its acknowledgement; see :meth:`evolution_ws.Client.call`."""
        deadline = time.monotonic() + timeout
        target = self._namespace(instance, namespace)
        args = _arguments(event, data)
        session = self._session(target, timeout)
        acks = self._connection.acks
        number, waiter = acks.expect(target)
        try:
            self._send(session, _encoded(target, event, args, number))
            if session.is_over and waiter.empty():
                # It may have ended before the waiter was there to be told.
                raise ConnectionLost("the connection dropped before the server answered")
            left = min(deadline - time.monotonic(), threading.TIMEOUT_MAX)
            answer = waiter.get(timeout=max(0.0, left))
        except queue.Empty:
            raise TimeoutError(
                f"no acknowledgement of {event!r} within {timeout:g} seconds "
                "(an Evolution server acknowledges nothing)"
            ) from None
        finally:
            acks.forget(target, number)
        if isinstance(answer, Exception):
            raise answer
        return answer[0] if len(answer) == 1 else (tuple(answer) if answer else None)

    def _namespace(self, instance: str | None, namespace: str | None) -> str:
        if namespace is not None and instance is not None:
            raise ConfigError("give instance or namespace, not both")
        if namespace is not None:
            return namespace if namespace.startswith("/") else "/" + namespace
        if instance is not None:
            return "/" + instance
        names = self._address.instances
        return "/" + names[0] if names is not None and len(names) == 1 else "/"

    def _session(self, namespace: str, wait: float | None) -> Session:
        """Return the session to send over, or say why there is none."""
        connection = self._connection
        if wait is not None and connection.state is not ConnectionState.CLOSED:
            self._start()
            connection.wait_until(lambda: self._is_ready(namespace), wait)
        session = connection.session
        if session is None:
            raise self._no_session(wait)
        if not connection.joins.is_joined(namespace):
            raise NotConnectedError(self._not_joined(namespace))
        return session

    def _is_ready(self, namespace: str) -> bool:
        connection = self._connection
        if connection.has_ended():
            return True
        return connection.session is not None and connection.joins.is_joined(namespace)

    def _no_session(self, wait: float | None) -> Exception:
        state = self._connection.state
        if state in (ConnectionState.CLOSED, ConnectionState.CLOSING):
            return ClientClosed("the client is closed; make a new one to emit")
        if self._connection.was_forked:
            return NotConnectedError(
                "this client was connected in the parent process; connect it in this one, too: "
                "in Celery's worker_process_init, in gunicorn's post_fork, or with connect()"
            )
        if state is ConnectionState.NEW:
            return NotConnectedError(
                "the client is not connected; call connect(), or emit with a timeout"
            )
        if state is ConnectionState.FAILED and self._connection.error is not None:
            return self._connection.error
        waited = f" after {wait:g} seconds" if wait else ""
        return NotConnectedError(
            f"there is no connection to {self._address}{waited} ({state.value}); emit with a "
            "timeout to wait for it"
        )

    def _not_joined(self, namespace: str) -> str:
        known = self._connection.joins.snapshot()
        if namespace not in known:
            return f"{namespace} belongs to no instance of this client; it has {', '.join(known)}"
        if known[namespace] is NamespaceState.PENDING:
            return (
                f"{namespace} does not exist on the server yet; it comes with the instance's "
                'first event. Evolution listens on "/" only: namespace="/"'
            )
        return f"{namespace} is not joined at the moment; emit with a timeout to wait for it"

    def _send(self, session: Session, frames: list[str | bytes]) -> None:
        limit = session.reader.opened.max_payload if session.reader.opened else None
        size = max(_size(frame) for frame in frames)
        if limit is not None and size > limit:
            raise PayloadTooLarge(
                f"the event takes {size} bytes and the server accepts {limit} (maxHttpBufferSize)"
            )
        if session.is_stuffed:
            raise QueueOverflow("the server does not take what is emitted; wait, or emit less")
        self._connection.send(session, frames)
        with self._counting:
            self.emitted += 1


def _encoded(
    namespace: str, event: str, args: list[Any], number: int | None = None
) -> list[str | bytes]:
    try:
        return encode_event(namespace, event, args, number)
    except RecursionError:
        raise ValueError("the data refers to itself, or is nested too deeply") from None


def _size(frame: str | bytes) -> int:
    # One byte goes to Engine.IO's packet type.
    if isinstance(frame, bytes):
        return len(frame)
    return 1 + (len(frame) if frame.isascii() else len(frame.encode("utf-8", "replace")))


def _arguments(event: object, data: Any) -> list[Any]:
    if not isinstance(event, str) or not event:
        raise ConfigError("the name of an event has to be a str that is not empty")
    if event in _RESERVED:
        raise ConfigError(f"{event!r} is a name that socket.io keeps for itself")
    if isinstance(data, tuple):
        return list(data)
    return [] if data is None else [data]
