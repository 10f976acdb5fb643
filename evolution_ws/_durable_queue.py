"""The queue of a durable inbox: an event can be taken once it is on the disk, and not before."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ._durable_entry import Delivered, Entry, Item, OverflowMark, Signals
from ._queue import EventQueue, _wait_for, _wake
from .config import ClientConfig, Overflow
from .events import Event
from .exceptions import QueueOverflow


# What may wait for the writer, which takes all of it at once: plenty for one transaction.
_MOST_PENDING = 2_000


class DurableQueue:
    """
    Hold events until they are done, in memory as far as they fit and on the disk beyond that.

    Has the interface of :class:`._queue.EventQueue`. Producers and consumers use it from any
    thread; the methods from :meth:`attach` on belong to the writer.

    Args:
        stream:
            Its name in the file.
        on_episode:
            Called with 0 when dropping begins, and with the number of dropped events at its end.
        register:
            Called with this queue, and with each one that :meth:`fresh` makes of it.
    """

    def __init__(
        self,
        stream: str,
        config: ClientConfig,
        on_episode: Callable[[int], object],
        register: Callable[[DurableQueue], object],
    ) -> None:
        self.stream = stream
        self._config = config
        self._is_patient = config.overflow is Overflow.BLOCK
        self._on_episode = on_episode
        self._register = register
        self._maxsize = config.queue_size or ClientConfig().queue_size
        # Without limits of its own: what was stored must not be dropped here. See fitting().
        self.ready: EventQueue[Item] = EventQueue(sys.maxsize, sys.maxsize)
        """Events that are stored, and in memory."""
        self._most_pending = max(1, config.queue_bytes // 8)
        self._producer = threading.Lock()
        self._putters: deque[threading.Lock] = deque()
        self._signals: Signals | None = None
        self._closed = False
        self.is_sealed = False
        """Whether nothing more is handed out, although there may be more."""
        self.is_wanted = False
        """Whether anybody has ever tried to take something."""
        self._error: BaseException | None = None
        self.dropped = 0
        """Events thrown away so far."""
        self._episode = 0
        # Written by producers, under their lock; what the writer took of it, by the writer.
        self._put_events = self._put_bytes = self._taken_events = self._taken_bytes = 0
        self.behind = self.behind_bytes = 0
        """Events on the disk only, and their bytes there; written by the writer."""
        self.stored = 0
        """Bytes on the disk of all events that are not done; written by the writer."""
        register(self)

    def fresh(self) -> DurableQueue:
        """Return an empty queue of the same stream, closed if this one is."""
        made = DurableQueue(self.stream, self._config, self._on_episode, self._register)
        if self._closed:
            made.close(self._error)
        return made

    @property
    def _pending(self) -> int:
        return self._put_events - self._taken_events

    @property
    def _pending_bytes(self) -> int:
        return self._put_bytes - self._taken_bytes

    def __len__(self) -> int:
        return len(self.ready) + self._pending + self.behind

    @property
    def waiting_bytes(self) -> int:
        """Return the bytes of the waiting events: estimated in memory, exact on the disk."""
        return self.ready.waiting_bytes + self._pending_bytes + self.behind_bytes

    @property
    def accepted(self) -> int:
        """Return the number of events that wait or were taken."""
        return self.ready.accepted + self._pending + self.behind

    @property
    def is_closed(self) -> bool:
        """Return whether nothing more will be put."""
        return self._closed

    # Producers

    def put(self, item: Delivered, size: int) -> None:
        """
        Add *item*, which takes about *size* bytes of memory.

        Never raises. Ignored once the queue is closed, and while no file is open.

        Threads:
            Any thread of this library. Blocks while the disk is behind, for at most *put_timeout*;
            longer than that it counts as full.
        """
        has_room = self._has_room if self._is_patient else self._is_keeping_up
        if isinstance(item, Event) and not has_room(size):
            self._wait_until(lambda: has_room(size), self._config.put_timeout)
        begins = False
        with self._producer:
            signals = self._signals
            if self._closed or signals is None:
                return
            if self._is_keeping_up(size):
                self._put_events += 1
                self._put_bytes += size
                signals.put.put(Entry(self, signals, item, size))
            else:
                begins = self._count_drops(1)
        if begins:
            self._on_episode(0)

    def _is_keeping_up(self, size: int) -> bool:
        # Spelled out, since it is asked for each event.
        pending = self._put_events - self._taken_events
        if pending == 0:
            return True
        waiting = self._put_bytes - self._taken_bytes + size
        return pending < _MOST_PENDING and waiting <= self._most_pending

    def _has_room(self, size: int) -> bool:
        if not self._is_keeping_up(size):
            return False
        used = self.stored + self._pending_bytes
        return used == 0 or used + size <= self._config.durable_bytes

    def wait_for_room(self, size: int, timeout: float) -> bool:
        """Wait until *size* bytes fit, at most *timeout* seconds; return whether they do."""
        return self._wait_until(lambda: self._has_room(size), timeout)

    def _wait_until(self, ready: Callable[[], bool], timeout: float) -> bool:
        return _wait_for(
            self._putters, lambda: self._closed or self._signals is None or ready(), timeout
        )

    def _count_drops(self, number: int) -> bool:
        """Count events that are thrown away; return whether an episode begins."""
        begins = not self._episode
        self._episode += number
        self.dropped += number
        return begins

    def close(self, error: BaseException | None = None) -> None:
        """
        Accept nothing more; what is stored can still be taken as long as the file is open.

        Args:
            error:
                Raised to consumers once they have read the rest; None ends them quietly.
        """
        if self._error is None:
            self._error = error
        self._closed = True
        signals = self._signals
        if signals is None:
            self.ready.close(self._error)
        else:
            signals.wake()
        self.wake_putters()

    def reopen(self) -> None:
        """Accept events again, after a failure that was repaired."""
        self._error = None
        self._closed = self.is_sealed = False
        self.ready.reopen()

    def discard(self) -> None:
        """Hand out nothing more; what waits stays on the disk."""
        self.is_sealed = True
        self.ready.discard()
        self.ready.close(self._error)

    # Consumers

    def take(self, hand: list[Any], timeout: float | None = None) -> None:
        """Move the oldest event into *hand*; see :meth:`._queue.EventQueue.take`."""
        if not self.is_wanted:
            self.is_wanted = True
            self._call_writer()
        self.ready.take(hand, timeout)
        if self.behind and self.is_half_empty():
            self._call_writer()
        if isinstance(hand[0], OverflowMark):
            del hand[0]
            raise QueueOverflow(
                f"{self.dropped} events were dropped: the durable inbox is full. Consume faster, "
                "raise durable_bytes, or choose another overflow policy"
            )

    def _call_writer(self) -> None:
        signals = self._signals
        if signals is not None:
            signals.wake()

    def is_half_empty(self) -> bool:
        """Return whether it is time to read from the disk."""
        ready = self.ready
        if len(ready) * 2 > self._maxsize:
            return False
        return not len(ready) or ready.waiting_bytes * 2 <= self._config.queue_bytes

    def untake(self, item: Any) -> None:
        """Put an event back that was taken but not handed to anybody."""
        self.ready.untake(item)

    # The writer

    def attach(self, signals: Signals) -> None:
        """Begin to work with an open file; what is in memory of an earlier time is void."""
        self.ready.discard()
        if not self._closed:
            self.ready.reopen()
        self._signals = signals

    def cut_off(self) -> None:
        """Take nothing more to the disk, and hold nobody up who has something for it."""
        self._signals = None
        self.wake_putters()

    def detach(self, error: BaseException | None) -> None:
        """End the work with the file: after an error, what is in memory can still be taken."""
        self.cut_off()
        if error is None:
            self.ready.discard()
        with self._producer:  # what was put meanwhile was never stored, hence never handed out
            self._taken_events, self._taken_bytes = self._put_events, self._put_bytes
        self.behind = self.behind_bytes = self.stored = 0
        self.ready.close(self._error or error)

    def fitting(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield what has room in memory, up to the first event that has none."""
        waiting, used = len(self.ready), self.ready.waiting_bytes
        for entry in entries:
            used += entry.size
            if entry.length:
                # An event larger than the whole limit is let in alone: it would never fit.
                too_large = waiting > 0 and used > self._config.queue_bytes
                if too_large or waiting >= self._maxsize:
                    return
            waiting += 1
            yield entry

    def took(self, events: int, size: int) -> None:
        """Note that events that were put are the writer's now."""
        self._taken_events += events
        self._taken_bytes += size

    def wake_putters(self) -> None:
        """Have everybody look again who waits for room."""
        while self._putters:
            _wake(self._putters)

    def note_drops(self, number: int) -> None:
        """Count events that were thrown away, and say so where it begins."""
        with self._producer:
            begins = self._count_drops(number)
        if begins:
            self._on_episode(0)

    def note_level(self) -> None:
        """Say what dropping has cost, once half of the room is free again."""
        if self._episode and self.stored * 2 <= self._config.durable_bytes:
            with self._producer:
                dropped, self._episode = self._episode, 0
            self._on_episode(dropped)

    @property
    def is_read(self) -> bool:
        """Whether nothing is left for those who have taken from it; nobody else counts."""
        if not self.is_wanted:
            return True
        return self._closed and not self._pending and not self.behind and not len(self.ready)

    def settle(self) -> None:
        """End the consumers' waiting, if the queue is closed and has been read to the end."""
        if self._closed and not self._pending and not self.behind:
            self.ready.close(self._error)
