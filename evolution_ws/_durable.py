"""
The durable inbox of one client, from outside: its queues, its beginning and its end.

What goes on in between is the writer's, on a thread of its own; see :mod:`._durable_writer`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable

from . import _store_lock
from ._durable_entry import Signals
from ._durable_queue import DurableQueue
from ._durable_writer import Surroundings, Writer
from ._queue import _wait, _wait_for, _wake
from .config import ClientConfig
from .exceptions import InboxError


_log = logging.getLogger("evolution_ws")

# A thread that waits looks again at least this often, should a wake-up be lost.
_SLICE = 1.0
# A loop that connects the client gets the time to come to its first event, should that fail.
_FIRST_TAKE = 0.25
# Longest wait of a fork for the writer to leave SQLite.
_FORK_PATIENCE = 5.0

_CLOSED, _OPENING, _OPEN, _CLOSING = "closed", "opening", "open", "closing"


class DurableInbox:
    """
    The queues of one client that keep events on disk, and the thread that looks after them.

    Threads:
        All members may be used from any thread.
    """

    def __init__(self, path: str, config: ClientConfig, around: Surroundings, name: str) -> None:
        self._path = path
        self._config = config
        self._around = around
        self._name = f"{name}-store"
        self._queues: dict[str, DurableQueue] = {}
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._starting = threading.Lock()
        self._busy = threading.Lock()
        """Held by the writer while it is inside SQLite."""
        self._waiters: deque[threading.Lock] = deque()
        self._thread: threading.Thread | None = None
        self._state = _CLOSED
        self._error: InboxError | None = None
        self._end_at: float | None = None
        """Time of the monotonic clock at which to end at the latest."""
        self._read_at: float | None = None
        """Time from which on to end as soon as everything is read."""
        self._signals = Signals()
        self._writer: Writer | None = None

    def new_queue(self, stream: str, on_episode: Callable[[int], object]) -> DurableQueue:
        """Return the queue of a stream; to be made before :meth:`open`."""
        return DurableQueue(stream, self._config, on_episode, self._register)

    def _register(self, made: DurableQueue) -> None:
        self._queues[made.stream] = made

    @property
    def is_open(self) -> bool:
        """Whether there is a writer."""
        return self._state != _CLOSED

    def open(self) -> None:
        """
        Open the file, unless it is open.

        Raises:
            InboxError: It cannot be used.
        """
        has_started = False
        while True:
            with self._starting:
                if self._state == _OPEN:
                    self._read_at = None
                    return
                if self._state == _CLOSED:
                    if has_started:
                        raise self._error or InboxError("the durable inbox was closed meanwhile")
                    has_started = True
                    self._start()
            # The writer opens: an interrupt of this thread could leave a file half open.
            _wait(self._waiters, _SLICE, lambda: self._state in (_OPEN, _CLOSED))

    def _start(self) -> None:
        self._error = self._end_at = self._read_at = None
        self._signals = Signals()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._state = _OPENING
        try:
            self._thread.start()
        except RuntimeError as exc:
            self._thread = None
            self._state = _CLOSED
            raise InboxError(
                f"the durable inbox cannot be opened: this process can start no thread ({exc})"
            ) from None

    def end_when_read(self) -> None:
        """Close the file once all is handed out that is waited for, unless it is opened again."""
        self._read_at = time.monotonic() + _FIRST_TAKE
        self._signals.wake()

    def request_close(self) -> None:
        """Ask for the end, once callbacks have come to theirs; never blocks."""
        if self._end_at is None:
            self._end_at = time.monotonic() + self._config.close_timeout
        self._signals.wake()

    def close(self, timeout: float) -> bool:
        """
        Store what arrived, note what is done, and close the file.

        Returns:
            Whether that was possible within *timeout* seconds.
        """
        self._end_at = 0.0
        self._signals.wake()
        if not _wait_for(self._waiters, lambda: self._state == _CLOSED, timeout):
            return False
        if self._thread is not None:
            self._thread.join(_SLICE)  # its last instructions
        return True

    def after_fork(self) -> None:
        """Let go of what is the parent's: its file is neither used nor closed here."""
        if self._writer is not None:
            self._writer.leak()
        self._begin()

    # The writer's thread

    def _run(self) -> None:
        error = self._explained(self._open)
        if error is None:
            self._change(_OPEN)
            assert self._writer is not None
            error = self._explained(self._writer.work)
            self._change(_CLOSING)
            if error is not None:
                # Whoever is told should find the client failed, so that it can start it again.
                self._writer.cut_off()
                self._around.fail(error)
        self._error = error
        if self._writer is not None:
            self._writer.close(error)
            self._writer = None
        self._change(_CLOSED)

    def _open(self) -> None:
        self._writer = Writer(
            os.path.realpath(self._path),
            self._queues,
            self._signals,
            self._config,
            self._around,
            self._busy,
            self._may_end,
        )

    def _may_end(self, is_read: Callable[[], bool]) -> bool | None:
        if self._end_at is not None:
            return time.monotonic() >= self._end_at or is_read()
        with self._starting:  # either this ends now, or open() has it go on
            if self._read_at is None:
                return None
            if time.monotonic() < self._read_at or not is_read():
                return False
            self._state = _CLOSING
            return True

    def _explained(self, step: Callable[[], object]) -> InboxError | None:
        """Run *step*; return why it failed, if it did."""
        try:
            step()
        except InboxError as exc:
            return exc
        except Exception as exc:  # a bug; it must not look like silence
            _log.exception("the durable inbox failed")
            return InboxError(f"the durable inbox failed: {type(exc).__name__}; the log says more")
        return None

    def _change(self, state: str) -> None:
        self._state = state
        while self._waiters:
            _wake(self._waiters)


# Forks: the child gets a copy of SQLite's insides, which must be at rest at that moment

_all: weakref.WeakSet[DurableInbox] = weakref.WeakSet()
_paused: list[threading.Lock] = []


def _before_fork() -> None:
    for inbox in list(_all):
        if inbox._busy.acquire(timeout=_FORK_PATIENCE):
            _paused.append(inbox._busy)


def _after_fork_in_parent() -> None:
    while _paused:
        _paused.pop().release()


def _after_fork_in_child() -> None:
    _paused.clear()
    _store_lock.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
