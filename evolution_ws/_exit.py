"""What is owed at the end of the process: emits that are still on their way."""

from __future__ import annotations

import atexit
import weakref
from typing import Protocol


class Closable(Protocol):
    """What the end of the process closes."""

    def close(self, timeout: float) -> bool:
        """End within *timeout* seconds."""


# Enough to flush and to say goodbye; a dead server must not hold the exit up for long.
_TIMEOUT = 3.5

_live: weakref.WeakSet[Closable] = weakref.WeakSet()


def watch(closable: Closable) -> None:
    """Close *closable* when the interpreter exits, if it still exists then."""
    _live.add(closable)


def unwatch(closable: Closable) -> None:
    """Forget *closable*; it is closed."""
    _live.discard(closable)


@atexit.register
def _close_all() -> None:
    for closable in list(_live):
        closable.close(_TIMEOUT)
