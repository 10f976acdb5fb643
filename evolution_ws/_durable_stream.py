"""One stream of a durable inbox, as its writer sees it: from the queue to the disk and back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from ._durable_entry import Entry, Item, OverflowMark, Signals
from ._durable_queue import DurableQueue
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
        self._taken: list[Entry] = []
        """What the present transaction has taken over."""
        self._written: list[Entry] = []
        """What the present transaction wrote, and what goes between."""
        self._marks: deque[Entry] = deque(maxlen=_MOST_MARKS)
        """What goes before events that are on the disk only."""
        self._ends_with_mark = False
        queue.behind, queue.behind_bytes, queue.stored = total.events, total.size, total.size

    # Within a transaction

    def remove(self, entries: list[Entry]) -> None:
        """Forget events that are done."""
        numbers = []
        for entry in entries:
            if not entry.is_removed:
                entry.is_removed = True
                numbers.append(entry.number)
                self.queue.stored -= entry.length
        self._store.remove(self.queue.stream, numbers)

    def write(self, entries: list[Entry]) -> list[Seen]:
        """Write what was put; return the messages in it."""
        self._taken = entries
        packed = [pack(one.item) if isinstance(one.item, Event) else b"" for one in entries]
        excess = self._make_room(packed)
        newest = _last_of(entries, packed) if excess > 0 else None
        rows: list[Row] = []
        seen: list[Seen] = []
        for entry, data in zip(entries, packed, strict=True):
            length = len(data)
            if length and excess > 0 and self._is_refused(length, entry is newest):
                excess -= length
                self._refuse()
                continue
            entry.number = self._next
            self._written.append(entry)
            if isinstance(entry.item, Event):
                entry.length = length
                rows.append((self._next, entry.size, data))
                seen += _messages_in(entry.item)
                self._next += 1
                self.queue.stored += length
                self._ends_with_mark = False
        self._store.add(self.queue.stream, rows)
        return seen

    def _is_refused(self, length: int, is_newest: bool) -> bool:
        """Return whether an event of a batch that is too large as a whole is not written."""
        if self._drops_oldest and not is_newest:
            return True
        # An event larger than the whole limit is let in alone: it would never fit otherwise.
        return self.queue.stored > 0 and self.queue.stored + length > self._most_bytes

    def _refuse(self) -> None:
        self.queue.note_drops(1)
        if self._overflow is Overflow.RAISE and not self._ends_with_mark:
            self._ends_with_mark = True
            mark = Entry(self.queue, self._signals, OverflowMark(), number=self._next)
            self._written.append(mark)

    def _make_room(self, packed: list[bytes]) -> int:
        """
        Drop old events where new ones are worth more.

        Returns:
            The bytes that are too many all the same; 0 or less where everything fits.
        """
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
        entries: list[Entry] = []
        hand: list[Item] = []
        while length < excess:
            try:
                ready.take(hand, 0)
            except (TimeoutError, QueueClosed, EvolutionError):  # there are none
                break
            ready.accepted -= 1
            taken += 1
            item = hand.pop()
            ack = item._ack if isinstance(item, Event) else None
            # One that was put back may be done, or come from an earlier run.
            if isinstance(ack, Entry) and ack.signals is self._signals and not ack.is_removed:
                entries.append(ack)
                length += ack.length
        self.remove(entries)
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
        ready: list[Entry] = []
        if not self.queue.behind:
            ready = list(self.queue.fitting(written))
            self._hand_over([*self._marks, *ready])
            self._marks.clear()
        for entry in written[len(ready) :]:
            self._keep_back(entry)
        # Only now, so that what waits is counted at every moment.
        self.queue.took(len(self._taken), sum(entry.size for entry in self._taken))
        self._taken = []
        self.queue.note_level()
        self.queue.wake_putters()

    def _keep_back(self, entry: Entry) -> None:
        if entry.length:
            self.queue.behind += 1
            self.queue.behind_bytes += entry.length
        else:
            self._marks.append(entry)

    def _hand_over(self, entries: list[Entry]) -> None:
        room = self._most_items - len(self.queue.ready)
        if len(entries) > room:  # nobody reads, and the line comes and goes
            entries = self._with_fewer_marks(entries, room)
        newest = (entry.number for entry in reversed(entries) if entry.length)
        self._cursor = next(newest, self._cursor)
        self.queue.ready.extend([(_part_with(entry), entry.size) for entry in entries])

    def _with_fewer_marks(self, entries: list[Entry], room: int) -> list[Entry]:
        kept: list[Entry] = []
        for entry in entries:
            if entry.length or len(kept) < room:
                kept.append(entry)
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
        found: list[Entry] = []
        try:
            for entry in queue.fitting(self._unread(rows)):
                found += self._marks_before(entry.number)
                found.append(self._read(entry))
        finally:  # what comes before a damaged event is good
            rows.close()
            self._advance(found)
        return bool(found)

    def _unread(self, rows: Iterable[Row]) -> Iterator[Entry]:
        for number, size, data in rows:
            yield Entry(self.queue, self._signals, data, size, number, len(data))

    def _read(self, entry: Entry) -> Entry:
        assert isinstance(entry.item, bytes)
        try:
            entry.item = unpack(entry.item, redelivered=entry.number <= self._old)
        except ValueError:
            raise damaged(self._store.path) from None
        return entry

    def _advance(self, entries: list[Entry]) -> None:
        """Hand over what was read, and what goes behind all of it if that was the rest."""
        lengths = [entry.length for entry in entries if entry.length]
        if len(lengths) == self.queue.behind:
            entries = [*entries, *self._marks]
            self._marks.clear()
        self._hand_over(entries)
        self.queue.behind -= len(lengths)
        self.queue.behind_bytes -= sum(lengths)

    def _marks_before(self, number: int) -> list[Entry]:
        """Return what has to come before the event with this number."""
        found = []
        while self._marks and self._marks[0].number <= number:
            found.append(self._marks.popleft())
        return found


def _last_of(entries: list[Entry], packed: list[bytes]) -> Entry | None:
    """Return the last entry that is an event."""
    pairs = zip(reversed(entries), reversed(packed), strict=True)
    return next((entry for entry, data in pairs if data), None)


def _messages_in(event: Event) -> list[Seen]:
    number = message_id(event.type, event.data)
    return [] if number is None else [(event.instance, number, event.replayed)]


def _part_with(entry: Entry) -> Item:
    """Return what consumers get; an event has its entry as its acknowledgement from then on."""
    item, entry.item = entry.item, None
    assert item is not None
    assert not isinstance(item, bytes)
    if isinstance(item, Event):
        item._carry(entry)
    return item
