"""One stream of a durable inbox, as its writer sees it: from the queue to the disk and back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from ._durable_queue import Done, DurableQueue, Item, OverflowMark, Put, Signals, Sized
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
        self._drops_oldest = config.overflow not in (Overflow.DROP_NEWEST, Overflow.RAISE)
        self._most_bytes = config.durable_bytes
        self._most_items = (config.queue_size or ClientConfig().queue_size) + _MOST_MARKS
        self._old = total.last
        """Events up to this number come from an earlier run."""
        self._next = total.last + 1
        self._cursor = 0
        """Events up to this number have been in memory."""
        self._taken: list[Put] = []
        """What the present transaction has taken over."""
        self._written: list[Sized] = []
        """What the present transaction wrote, and what goes before it."""
        self._marks: deque[tuple[int, Sized]] = deque(maxlen=_MOST_MARKS)
        """What goes before the event of a number, which is on the disk only."""
        self._ends_with_mark = False
        queue.behind, queue.behind_bytes, queue.stored = total.events, total.size, total.size

    # Within a transaction

    def remove(self, events: list[Done]) -> None:
        """Forget events that are done."""
        self._store.remove(self.queue.stream, [event.number for event in events])
        self.queue.stored -= sum(event.length for event in events)

    def write(self, puts: list[Put]) -> list[Seen]:
        """Write what was put; return the messages in it."""
        self._taken = puts
        packed = [pack(item) if isinstance(item, Event) else b"" for _, item, _ in puts]
        excess = self._make_room(packed)
        rows: list[Row] = []
        seen: list[Seen] = []
        last = len(puts) - 1
        for index, ((_, item, size), data) in enumerate(zip(puts, packed, strict=True)):
            if not isinstance(item, Event):
                self._written.append((item, size))
                continue
            if excess > 0 and self._is_refused(len(data), index == last):
                excess -= len(data)
                self._refuse()
                continue
            rows.append((self._next, size, data))
            self._written.append((self._with_ack(item, self._next, len(data)), size))
            number = message_id(item.type, item.data)
            if number is not None:
                seen.append((item.instance, number, item.replayed))
            self.queue.stored += len(data)
            self._next += 1
            self._ends_with_mark = False
        self._store.add(self.queue.stream, rows)
        return seen

    def _with_ack(self, event: Event, number: int, length: int) -> Event:
        return event._with_ack(Done(self, number, length, self._signals))

    def _is_refused(self, length: int, is_last: bool) -> bool:
        """Return whether an event of a batch that is too large as a whole is not written."""
        if self._drops_oldest and not is_last:
            return True
        # An event larger than the whole limit is let in alone: it would never fit otherwise.
        return self.queue.stored > 0 and self.queue.stored + length > self._most_bytes

    def _refuse(self) -> None:
        self.queue.note_drops(1)
        if self._overflow is Overflow.RAISE and not self._ends_with_mark:
            self._ends_with_mark = True
            self._written.append((OverflowMark(), 0))

    def _make_room(self, packed: list[bytes]) -> int:
        """Drop old events where new ones are worth more; return the bytes that are too many yet."""
        new = sum(map(len, packed))
        excess = self.queue.stored + new - self._most_bytes
        if excess <= 0 or not new or not self._drops_oldest:
            return excess
        dropped, length = self._take_back(excess)
        if excess > length and self.queue.behind:
            dropped += self._drop_behind(excess - length)
        if dropped:
            self.queue.note_drops(dropped)
        # What is left are events in the hands of consumers. Past those, the oldest new ones go.
        return self.queue.stored + new - self._most_bytes

    def _take_back(self, excess: int) -> tuple[int, int]:
        """Take the oldest items back that nobody holds yet; return how many, and their bytes."""
        ready = self.queue.ready
        taken = length = 0
        events: list[Done] = []
        hand: list[Item] = []
        while length < excess:
            try:
                ready.take(hand, 0)
            except (TimeoutError, QueueClosed, EvolutionError):  # there are none
                break
            ready.accepted -= 1
            taken += 1
            item = hand.pop()
            if isinstance(item, Event) and isinstance(item._ack, Done):
                events.append(item._ack)
                length += item._ack.length
        self.remove(events)
        return taken, length

    def _drop_behind(self, excess: int) -> int:
        """Drop the oldest events that are on the disk only; return how many."""
        lengths = self._store.oldest(self.queue.stream, self._cursor, excess)
        self._store.remove(self.queue.stream, lengths)
        size = sum(lengths.values())
        self.queue.stored -= size
        self.queue.behind -= len(lengths)
        self.queue.behind_bytes -= size
        return len(lengths)

    # Afterwards

    def release(self) -> None:
        """Let consumers have what was written, as far as the memory reaches."""
        written, self._written = self._written, []
        ready = [] if self.queue.behind else list(self.queue.fitting(written))
        self._hand_over(ready)
        self._keep_back(written[len(ready) :])
        # Only now, so that what waits is counted at every moment.
        self.queue.took(len(self._taken), sum(size for _, _, size in self._taken))
        self._taken = []
        self.queue.note_level()
        self.queue.wake_putters()

    def _keep_back(self, sized: list[Sized]) -> None:
        """Leave events on the disk; what goes before each of them waits for it."""
        found = [_done_of(item) for item, _ in sized]
        number = self._next - sum(done is not None for done in found)
        for done, mark in zip(found, sized, strict=True):
            if done is None:
                self._marks.append((number, mark))
            else:
                number = done.number + 1
                self.queue.behind += 1
                self.queue.behind_bytes += done.length

    def _hand_over(self, sized: list[Sized]) -> None:
        room = self._most_items - len(self.queue.ready)
        if len(sized) > room:  # nobody reads, and the line comes and goes
            sized = self._with_fewer_marks(sized, room)
        for item, _ in reversed(sized):
            if (done := _done_of(item)) is not None:
                self._cursor = done.number
                break
        self.queue.ready.extend(sized)

    def _with_fewer_marks(self, sized: list[Sized], room: int) -> list[Sized]:
        kept: list[Sized] = []
        for one in sized:
            if len(kept) < room or isinstance(one[0], Event):
                kept.append(one)
            else:
                self.queue.note_drops(1)
        return kept

    @property
    def can_load(self) -> bool:
        """Whether events are on the disk only, and there is much room for them."""
        queue = self.queue
        if not queue.behind or not queue.is_wanted or queue.is_sealed:
            return False
        return queue.is_half_empty()

    def load(self) -> bool:
        """Read events from the disk if there is room for them; return whether any came."""
        queue = self.queue
        if not self.can_load:
            return False
        rows = self._store.rows(queue.stream, self._cursor, _CHUNK)
        found: list[Sized] = []
        try:
            found.extend(queue.fitting(self._read(rows)))
        finally:  # what comes before a damaged event is good
            rows.close()
            self._hand_over(found)
        events = [done for item, _ in found if (done := _done_of(item)) is not None]
        queue.behind -= len(events)
        queue.behind_bytes -= sum(done.length for done in events)
        if not queue.behind:
            self._hand_over(list(self._marks_before(self._next)))
        return bool(events)

    def _read(self, rows: Iterable[Row]) -> Iterator[Sized]:
        for number, size, data in rows:
            yield from self._marks_before(number)
            yield self._with_ack(self._unpacked(number, data), number, len(data)), size

    def _marks_before(self, number: int) -> Iterator[Sized]:
        """Yield what has to come before the event with this number."""
        while self._marks and self._marks[0][0] <= number:
            yield self._marks.popleft()[1]

    def _unpacked(self, number: int, data: bytes) -> Event:
        try:
            return unpack(data, redelivered=number <= self._old)
        except ValueError:
            raise damaged(self._store.path) from None


def _done_of(item: Item) -> Done | None:
    """Return what notes that an event is done; None where the item is no event."""
    ack = item._ack if isinstance(item, Event) else None
    return ack if isinstance(ack, Done) else None
