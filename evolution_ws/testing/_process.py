"""An embedded server as a process: it starts, stops, freezes and crashes."""

from __future__ import annotations

import socket
import threading
import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING

from attrs import define, field

from ._connection import Connection
from ._http import HttpRequest
from ._hub import Member
from ._options import Options
from ._packets import Packet
from ._run import HOST, Faults, Run, bind


if TYPE_CHECKING:
    from typing_extensions import Self


REBIND_PATIENCE = 2.0
"""Seconds that start() waits for its former port to become free."""


@define(kw_only=True, eq=False, slots=False, repr=False)
class Process(Options, ABC):
    """The part of the server that knows sockets and runs; see the public class."""

    _changed: threading.Condition = field(init=False, factory=threading.Condition)
    _faults: Faults = field(init=False, factory=Faults)
    _run: Run | None = field(init=False, default=None)

    def __repr__(self) -> str:
        where = self.url if self.port else "not started"
        return f"<{type(self).__name__} {where}>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """
        Address to connect to.

        Raises:
            RuntimeError: The server was never started and has no port yet.
        """
        if not self.port:
            raise RuntimeError("start the server first: it has no port yet")
        scheme = "http" if self.ssl_context is None else "https"
        return f"{scheme}://{HOST}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether the server listens."""
        return self._run is not None

    def start(self) -> None:
        """
        Listen; a second start uses the port of the first, a running server goes on.

        Raises:
            OSError: The port is taken.
        """
        listener = None if self.is_running else _bind_patiently(self.port)
        if listener is not None:
            self._start(listener)

    def stop(self) -> None:
        """
        Close everything as a killed process does; harmless when stopped already.

        Clients see their TCP connections end, without a close frame. Takes less than
        two seconds, also with clients connected, frozen or in their handshake.
        """
        with self._changed:
            run, self._run = self._run, None
        if run is not None:
            run.stop()
            with self._changed:
                self._changed.notify_all()

    def restart(self, downtime: float = 0.0) -> None:
        """
        Stop and start again on the same port.

        Args:
            downtime: Seconds in between, during which connections are refused.
        """
        self.stop()
        # Bound and not listening: connections are refused, and none of this
        # machine's own can be given the port for its other end.
        listener = _bind_patiently(self.port)
        try:
            time.sleep(downtime)
        except BaseException:
            listener.close()
            raise
        self._start(listener)

    def freeze(self) -> None:
        """
        Stand still as a stopped process: connections stay open, nothing moves on them.

        New connections are accepted by the operating system and hang.
        """
        with self._changed:
            if self._run is not None:
                self._run.loop.freeze()

    def thaw(self) -> None:
        """Go on after :meth:`freeze`; what was emitted meanwhile is sent now."""
        with self._changed:
            if self._run is not None:
                self._run.loop.thaw()

    def drop(self) -> None:
        """
        Reset all TCP connections: no close frame, and what was not sent yet is lost.

        :meth:`flush` first where that matters. The server itself goes on.
        """
        with self._changed:
            if self._run is not None:
                self._run.drop()

    def flush(self, timeout: float = 10.0) -> None:
        """
        Wait until everything emitted so far was handed to the operating system.

        Args:
            timeout: Longest wait in seconds.

        Raises:
            TimeoutError: A client does not read what it is sent.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                pending = self._run.pending if self._run is not None else 0
            if not pending:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{pending} bytes were not sent within {timeout:g} s")
            time.sleep(0.002)

    def _start(self, listener: socket.socket) -> None:
        with self._changed:
            if self._run is not None:
                listener.close()
                return
            self.port = listener.getsockname()[1]
            run = Run(
                self, self._changed, self._faults, rest=self._serve_rest, emitted=self._take_emit
            )
            if not self.lazy:
                run.hub.namespaces.update(f"/{name}" for name in self.instances)
            self._run = run
            run.start(listener)

    @abstractmethod
    def _serve_rest(self, connection: Connection, request: HttpRequest) -> None:
        """Answer a REST request; called with the lock held."""

    @abstractmethod
    def _take_emit(self, member: Member, packet: Packet) -> None:
        """Take an event of a client; called with the lock held."""


def _bind_patiently(port: int) -> socket.socket:
    deadline = time.monotonic() + REBIND_PATIENCE
    while True:
        try:
            return bind(port)
        except OSError:
            # A free port (0) is never taken; a former one may be for a moment,
            # by the other end of a connection that its client has not closed.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
