"""One event on its way through a durable inbox, and how threads tell its writer of it."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from .events import Event
from .lifecycle import LifecycleEvent


if TYPE_CHECKING:
    from ._durable_queue import DurableQueue


class OverflowMark:
    """Stands where events are missing, for the policy that raises."""


Delivered = Event | LifecycleEvent
Item = Delivered | OverflowMark


@attrs.define(eq=False)
class Signals:
    """What threads tell the writer, through nothing but single calls of C functions."""

    put: queue.SimpleQueue[Entry | None] = attrs.field(factory=queue.SimpleQueue)
    """What was put into a queue; None is a mere call to look."""
    done: deque[Entry] = attrs.field(factory=deque)
    """Events that are done."""
    is_resting: bool = False
    """Whether the writer has to be called for what is in *done*."""
    late: Callable[[Entry], object] | None = None
    """Takes what is done when the writer is there no more."""

    def wake(self) -> None:
        """Have the writer look."""
        self.put.put(None)


@attrs.define(eq=False)
class Entry:
    """
    Something for a consumer, from its arrival until it is done.

    The event calls it to say that it is done. One object all the way, because the writer handles
    many thousands a second.
    """

    queue: DurableQueue
    signals: Signals
    item: Item | bytes | None
    """Bytes before they are read from the disk; None once consumers can have it: the event holds
    its entry from then on, and the two must not be a cycle."""
    size: int = 0
    """Bytes of memory, about."""
    number: int = 0
    """Its place in the file; of what is not stored, that of the event before which it comes."""
    length: int = 0
    """Bytes on the disk; 0 where it is not stored."""
    is_removed: bool = False
    """Whether the file has it no more: it can be said more than once that it is done."""

    def __call__(self) -> None:
        # Called by threads that an exception may hit at any place: either it is noted or it is
        # not, and nothing is locked.
        signals = self.signals
        signals.done.append(self)
        if signals.is_resting:
            signals.wake()
        if signals.late is not None:
            signals.late(self)
