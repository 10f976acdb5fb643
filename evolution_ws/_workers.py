"""Threads that come to their end by themselves, and that others wait for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from ._queue import _wait_for, _wake
from .exceptions import ConnectError


# Longest wait for a thread that has said that it ends.
_LAST_INSTRUCTIONS = 1.0


class Workers:
    """
    The threads of one purpose that are at work.

    Those who wait do not join() them: until Python 3.12, a join() that is interrupted takes its
    thread for ended.
    """

    def __init__(self) -> None:
        self._threads: set[threading.Thread] = set()
        self._waiters: deque[threading.Lock] = deque()

    def __bool__(self) -> bool:
        """Return whether any is at work."""
        return bool(self._threads)

    def start(self, work: Callable[[], object], name: str) -> None:
        """
        Start a thread that does *work*, and that the end of the process does not wait for.

        Raises:
            ConnectError: The process can start no thread.
        """

        def run() -> None:
            try:
                work()
            finally:
                self._threads.discard(thread)
                while self._waiters:
                    _wake(self._waiters)

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError as exc:  # there are too many, or the interpreter is ending
            self._threads.discard(thread)
            raise ConnectError(f"this process can start no thread ({exc})") from None

    def wait(self, timeout: float) -> list[str]:
        """
        Wait for the end of all but the current thread, at most *timeout* seconds.

        Returns:
            The names of those that are still at work.
        """
        threads = self._threads - {threading.current_thread()}
        if not _wait_for(self._waiters, lambda: not threads & self._threads, timeout):
            return sorted(thread.name for thread in threads & self._threads)
        for thread in threads:
            thread.join(_LAST_INSTRUCTIONS)
        return []
