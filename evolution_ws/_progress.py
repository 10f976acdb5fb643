"""Where a connection stands, which steps are legal, and waiting for one of them."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable

from .state import ConnectionState


_S = ConnectionState
_LEGAL: dict[ConnectionState, tuple[ConnectionState, ...]] = {
    _S.NEW: (_S.CONNECTING, _S.CLOSED),
    _S.CONNECTING: (_S.OPEN, _S.BACKOFF, _S.FAILED, _S.CLOSING),
    _S.OPEN: (_S.BACKOFF, _S.FAILED, _S.CLOSING),
    _S.BACKOFF: (_S.CONNECTING, _S.FAILED, _S.CLOSING),
    _S.CLOSING: (_S.CLOSED,),
    _S.CLOSED: (),
    _S.FAILED: (_S.CONNECTING, _S.CLOSED),
}

# A thread that waits looks again at least this often, should a wake-up be lost.
_SLICE = 1.0


class Progress:
    """
    The state of a connection, for the thread that changes it and those that wait for it.

    The waiting side is safe against asynchronous exceptions: each waiter has a
    queue of its own, and nothing is locked.
    """

    def __init__(self) -> None:
        self._state = _S.NEW
        self._watchers: list[queue.SimpleQueue[None]] = []

    def has_ended(self) -> bool:
        """Return whether nobody works on the connection."""
        return self._state in (_S.NEW, _S.CLOSED, _S.FAILED)

    def wait_until(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        """
        Wait until *condition*, which depends on this connection's state, holds.

        Args:
            timeout:
                Longest wait in seconds; None has no limit, 0 only looks.

        Returns:
            Whether it holds.
        """
        watch: queue.SimpleQueue[None] = queue.SimpleQueue()
        deadline = None if timeout is None else time.monotonic() + timeout
        self._watchers.append(watch)
        try:
            while not condition():
                left = _SLICE if deadline is None else min(_SLICE, deadline - time.monotonic())
                if left <= 0:
                    return False
                try:
                    watch.get(timeout=left)
                except queue.Empty:
                    pass
            return True
        finally:
            self._watchers.remove(watch)

    def _move(self, state: ConnectionState) -> None:
        """Take a step; only from the thread that owns the connection at the moment."""
        if state is self._state:
            return
        if state not in _LEGAL[self._state]:
            raise RuntimeError(f"illegal step from {self._state.name} to {state.name}")
        self._state = state

    def announce(self) -> None:
        """Have everybody who waits look again."""
        for watch in list(self._watchers):
            watch.put(None)
