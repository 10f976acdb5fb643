"""The one thread that owns the sockets and timers of an embedded server."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import selectors
import socket
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeAlias


_numbers = itertools.count(1)
_running: weakref.WeakSet[Loop] = weakref.WeakSet()

LONGEST_WAIT = 60.0
"""Seconds after which the loop looks at its timers again in any case."""

Ready: TypeAlias = Callable[[int], None]
"""Called with the selector events of a socket that is ready."""


class Timer:
    """A call that is due at a moment of the monotonic clock."""

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback: Callable[[], None] | None = callback

    def __lt__(self, other: Timer) -> bool:
        return self.due < other.due

    def cancel(self) -> None:
        """Forget the call; legal at any time and any number of times."""
        self.callback = None


class Loop:
    """
    Wait for sockets, timers and calls from other threads, and serve them one at a time.

    Args:
        lock:
            Held while a callback runs, so that the server's own methods, which
            take it too, never meet a half done step.
    """

    def __init__(self, lock: AbstractContextManager[object]) -> None:
        self._lock = lock
        self._selector = selectors.DefaultSelector()
        self._calls: deque[tuple[Callable[[], None], bool]] = deque()
        self._timers: list[Timer] = []
        self._stopping = False
        self._awake = threading.Event()
        self._awake.set()
        self._frozen_at = 0.0
        self._woken = False
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, self._drain_wakeups)
        self._thread = threading.Thread(
            target=self._run, name=f"evolution-ws-test-server-{next(_numbers)}", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        _running.add(self)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """
        End the thread.

        Args:
            timeout:
                Longest wait in seconds; only user code on the thread can use it up.
        """
        self._stopping = True
        self._awake.set()
        self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
        _running.discard(self)
        self._selector.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def call_soon(self, callback: Callable[[], None], *, locked: bool = True) -> None:
        """
        Run *callback* on the loop's thread, in the order of the calls.

        *locked* false is for user code: no lock is held while it runs.

        Threads:
            Any thread may call this.
        """
        self._calls.append((callback, locked))
        self._wake()

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Run *callback* in *delay* seconds; the caller holds the lock."""
        timer = Timer(time.monotonic() + delay, callback)
        heapq.heappush(self._timers, timer)
        self._wake()
        return timer

    def watch(self, sock: socket.socket, events: int, ready: Ready) -> None:
        """Call *ready* when *sock* is ready for one of *events*; loop thread only."""
        try:
            self._selector.modify(sock, events, ready)
        except KeyError:
            self._selector.register(sock, events, ready)

    def forget(self, sock: socket.socket) -> None:
        """Stop watching *sock*; harmless when it is not watched."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(sock)

    def freeze(self) -> None:
        """Stand still as a stopped process does; the caller holds the lock."""
        if self._awake.is_set():
            self._frozen_at = time.monotonic()
            self._awake.clear()

    def thaw(self) -> None:
        """Go on where :meth:`freeze` stopped; the caller holds the lock."""
        if not self._awake.is_set():
            # Clients had no chance to answer meanwhile: do not hold that against them.
            missed = time.monotonic() - self._frozen_at
            for timer in self._timers:
                timer.due += missed
            self._awake.set()

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            with contextlib.suppress(OSError):
                self._wake_writer.send(b"!")

    def _drain_wakeups(self, events: int) -> None:
        self._wake_reader.recv(1024)

    def _run(self) -> None:
        while not self._stopping:
            try:
                ready = self._selector.select(self._patience())
            except (OSError, ValueError):  # pragma: no cover - closed by a stop() that gave up
                return
            self._awake.wait()
            for key, events in ready:
                callback: Ready = key.data
                self._guarded(partial(callback, events))
            self._run_timers()
            self._run_calls()

    def _patience(self) -> float | None:
        if self._calls:
            return 0
        with self._lock:
            if not self._timers:
                return None
            # Capped, since selectors do not take the infinity of a disabled timer.
            return min(max(0.0, self._timers[0].due - time.monotonic()), LONGEST_WAIT)

    def _run_timers(self) -> None:
        now = time.monotonic()
        while not self._stopping:
            with self._lock:
                if not self._timers or self._timers[0].due > now:
                    return
                callback = heapq.heappop(self._timers).callback
            if callback is not None:
                self._guarded(callback)

    def _run_calls(self) -> None:
        # Cleared first: a call that arrives from here on wakes the next select.
        self._woken = False
        for _ in range(len(self._calls)):
            callback, locked = self._calls.popleft()
            if not self._stopping:  # pragma: no branch - a race
                self._guarded(callback, locked)

    def _guarded(self, callback: Callable[[], None], locked: bool = True) -> None:
        try:
            if not locked:
                callback()
                return
            while not self._stopping:
                self._awake.wait()
                with self._lock:
                    # freeze() may have come between the wait and the lock
                    if self._awake.is_set():  # pragma: no branch - a race
                        # and stop() ends a freeze without anything moving again
                        if not self._stopping:  # pragma: no branch - a race
                            callback()
                        return
        except Exception:
            # The server goes on; the mistake is reported as that of any thread is.
            threading.excepthook(threading.ExceptHookArgs([*sys.exc_info(), self._thread]))

    def _abandon(self) -> None:  # pragma: no cover - runs in a forked child only
        # After a fork the thread exists in the parent only, and a copy of a
        # listening socket kept open here would block its port for the parent.
        # Nothing is unregistered: the parent goes on using the same epoll.
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()
        self._wake_writer.close()


def _abandon_after_fork() -> None:  # pragma: no cover - runs in a forked child only
    for loop in list(_running):
        loop._abandon()
    _running.clear()


os.register_at_fork(after_in_child=_abandon_after_fork)
