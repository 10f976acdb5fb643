"""The loop of a process that does nothing but handle events, and how it ends."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

from .. import (
    AuthenticationError,
    Client,
    ConfigError,
    ConnectError,
    ConnectionLost,
    ConnectionState,
    Event,
    EvolutionError,
    InboxError,
    LifecycleEvent,
)


__all__ = ["HandlerFailed", "Listener", "exit_code"]

# A stop that was asked for is noticed after this time at the latest.
_TICK = 0.5

# The numbers of sysexits.h, so that a supervisor can tell what a restart may cure.
_SOFTWARE, _UNAVAILABLE, _IO_ERROR, _NO_PERMISSION, _CONFIG = 70, 69, 74, 77, 78

EXIT_CODES = (
    "Exit codes: 0 stopped by SIGTERM or Ctrl-C; 69 the server cannot be reached (reconnecting was "
    "given up, or its websocket is off); 70 a handler failed (--exit-on-error); 74 the durable "
    "inbox cannot be used; 77 the key was refused; 78 the settings are wrong. A restart does not "
    "cure 77 and 78: RestartPreventExitStatus=77 78 for systemd."
)


class Output(Protocol):
    """Where the status goes: a text file, or what a framework has in its place."""

    def write(self, text: str, /) -> object:
        """Write *text* as it is."""

    def flush(self) -> None:
        """Let it be seen."""

    def isatty(self) -> bool:
        """Return whether a person looks at it."""


class HandlerFailed(EvolutionError):
    """A handler raised, and the listener was told to end then."""


def exit_code(error: Exception) -> int:
    """Return the exit code of a process that *error* ends."""
    codes: tuple[tuple[type[Exception], int], ...] = (
        (ConfigError, _CONFIG),
        (AuthenticationError, _NO_PERMISSION),
        (InboxError, _IO_ERROR),
        (HandlerFailed, _SOFTWARE),
        (ConnectError, _UNAVAILABLE),
        (ConnectionLost, _UNAVAILABLE),
    )
    return next((code for kind, code in codes if isinstance(error, kind)), 1)


class Listener:
    """
    Handles the events of a client until it is told to stop.

    Args:
        client:
            Its inbox is read; it connects, reconnects and is closed here. A durable one has to
            have ``auto_ack=False``: an event is done when *handle* returns.
        handle:
            Called with each event in the calling thread; returns how many handlers failed.
        types:
            Names of the events to handle; none for all.
        out:
            Where the status goes; None for nowhere. On a terminal it is one line that changes.
        exit_on_error:
            Whether a handler that fails ends the loop.
    """

    def __init__(
        self,
        client: Client,
        handle: Callable[[Any], int],
        *,
        types: tuple[str, ...] = (),
        out: Output | None = None,
        exit_on_error: bool = False,
    ) -> None:
        self._client = client
        self._handle = handle
        self._types = types
        self._out = out
        self._exit_on_error = exit_on_error
        self._stopping = False
        self._live_line = out is not None and out.isatty()
        self._printing = threading.Lock()
        self.handled = 0
        """Events handled so far."""
        self.failed = 0
        """Failures of handlers so far."""

    def run(self) -> None:
        """
        Connect, and handle events until SIGTERM, Ctrl-C or :meth:`stop`.

        The event in hand is finished first; a second signal does not wait for it.

        Raises:
            EvolutionError: The connection failed for good, or a handler failed and
                *exit_on_error* is set. :func:`exit_code` has the exit code.
        """
        client = self._client
        client.on("connect", "disconnect", "connect_error", "gap", callback=self._on_lifecycle)
        self._say(f"connecting: {client!r}")
        try:
            with self._signals():
                while not self._stopping and client.state is not ConnectionState.CLOSED:
                    self._work()
                    self._show_line()
        finally:
            client.close()
            self._say(f"stopped: {self.handled} events handled, {self.failed} failures")

    def stop(self) -> None:
        """Let :meth:`run` return after the event in hand; any thread, never blocks."""
        self._stopping = True

    def _work(self) -> None:
        for event in self._client.events(*self._types, timeout=_TICK):
            failures = self._handle(event)
            self.failed += failures
            self.handled += 1
            if failures and self._exit_on_error:
                raise HandlerFailed(
                    f"a handler failed for {event.type}; the log says why. With a durable inbox "
                    "the event is delivered again after a restart"
                )
            event.ack()
            self._show_line()
            if self._stopping:
                return

    @contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may have handlers; whoever runs this calls stop()
            return
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.getsignal(number) for number in numbers}

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        def on_signal(number: int, frame: FrameType | None) -> None:
            restore()
            self.stop()

        for number in numbers:
            signal.signal(number, on_signal)
        try:
            yield
        finally:
            restore()

    # The status

    def _on_lifecycle(self, event: LifecycleEvent) -> None:
        self._say(_told(event))

    def _say(self, text: str) -> None:
        if self._out is None:
            return
        with self._printing:
            clear = "\r\x1b[K" if self._live_line else ""
            self._out.write(f"{clear}{time.strftime('%H:%M:%S')} {text}\n")
            self._out.flush()

    def _show_line(self) -> None:
        if not self._live_line or self._out is None:
            return
        stats = self._client.stats
        last = stats.last_event_at
        seen = f", last {last.astimezone():%H:%M:%S}" if last else ""
        state = self._client.state.value
        line = f"{state}: {self.handled} handled, {stats.queue_events} waiting"
        line += f", {stats.dropped} dropped, {self.failed} failures{seen}"
        with self._printing:
            self._out.write(f"\r\x1b[K{line}")
            self._out.flush()


def _told(event: LifecycleEvent) -> str:
    if event.type == "connect":
        return "connected"
    if event.type == "disconnect":
        return f"connection lost: {event.reason}"
    if event.type == "connect_error":
        delay = "" if event.delay is None else f"; again in {event.delay:.1f} s"
        return f"no connection: {event.error}{delay}"
    whole = "complete" if event.complete else "incomplete"
    where = f" of {event.instance}" if event.instance else ""
    return f"gap{where}: {event.replayed or 0} messages fetched, {whole}"


def received_message(event: Event) -> Any:
    """Return the message that somebody wrote to the instance; None for all else."""
    if event.type != "messages.upsert":
        return None
    message = getattr(event, "message", None)
    return None if message is None or message.from_me else message
