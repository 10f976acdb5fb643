"""One stream of a durable inbox, as its writer sees it: from the queue to the disk and back."""

from __future__ import annotations

from collections import deque

import attrs

from ._durable_queue import Delivered, Done, DurableQueue, Item, OverflowMark, Signals
from ._packing import pack, unpack
from ._queue import QueueClosed
from ._seen import message_id
from ._store import Row, Seen, Store, Total
from ._store_errors import damaged
from .config import ClientConfig, Overflow
from .events import Event
from .exceptions import EvolutionError


# Changes of the connection that wait for events which are on the disk only.
_MOST_MARKS = 1_000
# Rows read from the disk before new events get their turn.
_CHUNK = 500


@attrs.frozen
class _Entry:
    """An event that was written, or, without bytes on the disk, what goes before *number*."""

    number: int
    item: Item
    size: int
    length: int = 0


class Stream:
    """
    The events of one queue, numbered in the order in which they came.

    Up to a number they are in memory or were taken; those above it are on the disk only, and
    follow as soon as there is room. Used by the writer alone.

    Args:
        total:
            What the file holds, from an earlier run.
    """

    def __init__(
        self,
        queue: DurableQueue,
        store: Store,
        signals: Signals,
        total: Total,
        config: ClientConfig,
    ) -> None:
        self.queue = queue
        self._store = store
        self._signals = signals
        self._overflow = config.overflow
        self._most_bytes = config.durable_bytes
        self._most_items = (config.queue_size or ClientConfig().queue_size) + _MOST_MARKS
        self._old = total.last
        """Events up to this number come from an earlier run."""
        self._next = total.last + 1
        self._cursor = 0
        """Events up to this number have been in memory."""
        self._taken: list[tuple[Delivered, int]] = []
        """What the present transaction has taken over."""
        self._written: list[_Entry] = []
        """What the present transaction wrote."""
        self._marks: deque[_Entry] = deque(maxlen=_MOST_MARKS)
        """What waits for events that are on the disk only, to come before one of them."""
        self._ends_with_mark = False
        queue.behind, queue.behind_bytes, queue.stored = total.events, total.size, total.size

    # Within a transaction

    def remove(self, numbers: list[int]) -> None:
        """Forget events that are done."""
        _, size = self._store.remove(self.queue.stream, numbers)
        self.queue.stored -= size

    def write(self, items: list[tuple[Delivered, int]]) -> list[Seen]:
        """Write what was put; return the messages in it."""
        self._taken = items
        packed = [pack(item) if isinstance(item, Event) else b"" for item, _ in items]
        too_many = self._make_room(packed)
        rows: list[Row] = []
        seen: list[Seen] = []
        last = len(items) - 1
        for index, ((item, size), data) in enumerate(zip(items, packed, strict=True)):
            if not isinstance(item, Event):
                self._written.append(_Entry(self._next, item, size))
                continue
            if (too_many > 0 and index < last) or not self._has_room(len(data)):
                too_many -= len(data)
                self._refuse()
                continue
            rows.append((self._next, size, data))
            seen += _seen_in(item)
            self._written.append(_Entry(self._next, item, size, len(data)))
            self.queue.stored += len(data)
            self._next += 1
            self._ends_with_mark = False
        self._store.add(self.queue.stream, rows)
        return seen

    def _has_room(self, size: int) -> bool:
        # An event larger than the whole limit is let in alone: it would never fit otherwise.
        return self.queue.stored <= 0 or self.queue.stored + size <= self._most_bytes

    def _refuse(self) -> None:
        self.queue.note_drops(1)
        if self._overflow is Overflow.RAISE and not self._ends_with_mark:
            self._ends_with_mark = True
            self._written.append(_Entry(self._next, OverflowMark(), 0))

    def _make_room(self, packed: list[bytes]) -> int:
        """Drop old events where new ones are worth more; return the bytes that are too many yet."""
        excess = self.queue.stored + sum(map(len, packed)) - self._most_bytes
        if (
            excess <= 0
            or not any(packed)
            or self._overflow in (Overflow.DROP_NEWEST, Overflow.RAISE)
        ):
            return 0
        before = self.queue.stored
        dropped, numbers = self._take_back(excess)
        self.remove(numbers)
        excess -= before - self.queue.stored
        if excess > 0 and self.queue.behind:
            dropped += self._drop_behind(excess)
        if dropped:
            self.queue.note_drops(dropped)
        # What is left are events in the hands of consumers. Past those, the oldest new ones go.
        return self.queue.stored + sum(map(len, packed)) - self._most_bytes

    def _take_back(self, excess: int) -> tuple[int, list[int]]:
        """Take the oldest items back that nobody holds yet; return how many, and their numbers."""
        ready = self.queue.ready
        taken = 0
        numbers: list[int] = []
        hand: list[Item] = []
        while excess > 0:
            try:
                ready.take(hand, 0)
            except (TimeoutError, QueueClosed, EvolutionError):  # there are none
                break
            ready.accepted -= 1
            taken += 1
            item = hand.pop()
            if isinstance(item, Event) and isinstance(item._ack, Done):
                numbers.append(item._ack.number)
                excess -= item._ack.length
        return taken, numbers

    def _drop_behind(self, excess: int) -> int:
        numbers = self._store.oldest(self.queue.stream, self._cursor, excess)
        before = self.queue.stored
        self.remove(numbers)
        self.queue.behind -= len(numbers)
        self.queue.behind_bytes -= before - self.queue.stored
        return len(numbers)

    # Afterwards

    def release(self) -> None:
        """Let consumers have what was written, as far as the memory reaches."""
        for entry in self._written:
            if self.queue.behind or (entry.length and self.queue.is_full(entry.size)):
                self._keep_back(entry)
            else:
                self._hand_over(entry)
        self._written.clear()
        # Only now, so that what waits is counted at every moment.
        self.queue.took(len(self._taken), sum(size for _, size in self._taken))
        self._taken = []
        self.queue.note_level()
        self.queue.wake_putters()

    def _keep_back(self, entry: _Entry) -> None:
        if entry.length:
            self.queue.behind += 1
            self.queue.behind_bytes += entry.length
        else:
            self._marks.append(entry)

    def _hand_over(self, entry: _Entry) -> None:
        item = entry.item
        if isinstance(item, Event):
            self._cursor = entry.number
            item = item._with_ack(Done(self, entry.number, entry.length, self._signals))
        elif len(self.queue.ready) >= self._most_items:  # nobody reads, and the line comes and goes
            self.queue.note_drops(1)
            return
        self.queue.ready.put(item, entry.size)

    def load(self) -> bool:
        """Read events from the disk if there is much room for them; return whether any came."""
        queue = self.queue
        if not queue.behind or not queue.is_wanted or queue.is_sealed or not queue.is_half_empty():
            return False
        rows = self._store.rows(queue.stream, self._cursor, _CHUNK)
        before = self._cursor
        for number, size, data in rows:
            if queue.is_full(size):
                break
            self._hand_over_marks(number)
            self._hand_over(_Entry(number, self._unpacked(number, data), size, len(data)))
            queue.behind -= 1
            queue.behind_bytes -= len(data)
        rows.close()
        if not queue.behind:
            self._hand_over_marks(self._next)
        return self._cursor > before

    def _hand_over_marks(self, number: int) -> None:
        """Hand over what has to come before the event with this number."""
        while self._marks and self._marks[0].number <= number:
            self._hand_over(self._marks.popleft())

    def _unpacked(self, number: int, data: bytes) -> Event:
        try:
            return unpack(data, redelivered=number <= self._old)
        except ValueError:
            raise damaged(self._store.path) from None


def _seen_in(event: Event) -> list[Seen]:
    number = message_id(event.type, event.data)
    return [] if number is None else [(event.instance, number, event.replayed)]
