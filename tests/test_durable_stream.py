"""One stream of a durable inbox: from the queue to the disk and back, and its limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evolution_ws import ClientConfig, Event, InboxError, Overflow, QueueOverflow
from evolution_ws._durable_entry import Signals
from evolution_ws._durable_queue import DurableQueue
from evolution_ws._durable_stream import Stream
from evolution_ws._packing import pack
from evolution_ws._queue import QueueClosed
from evolution_ws._store import Store
from evolution_ws.lifecycle import LifecycleEvent
from tests.durable_tools import again, new
from tests.helpers import CEILING, in_thread, wait_until


def event(number: int, size: int = 0) -> Event:
    """Return a numbered message."""
    data = {"seq": number, "key": {"id": f"ID{number}"}, "pad": "x" * size}
    return Event("messages.upsert", "sales", data, received_at=100.0)


LENGTH = len(pack(event(10)))
"""Bytes on the disk of an event with a number of two digits."""


class Rig:
    """A stream without a thread: what the writer does is done by :meth:`step`."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.config = ClientConfig(**options)
        self.episodes: list[int] = []
        self.queue = DurableQueue("inbox", self.config, self.episodes.append, lambda queue: None)
        self.store = Store(str(path))
        self.signals = Signals()
        total = self.store.add_stream("inbox")
        self.stream = Stream(self.queue, self.store, self.signals, total, self.config)
        self.queue.attach(self.signals)

    def put(self, *numbers: int, size: int = 0) -> None:
        """Put numbered events, and write them."""
        for number in numbers:
            self.queue.put(event(number, size), 100)
        self.step()

    def step(self) -> list[tuple[str, str, bool]]:
        """Write what was put and note what is done; return the messages that were in it."""
        puts = [self.signals.put.get_nowait() for _ in range(self.signals.put.qsize())]
        done = [self.signals.done.popleft() for _ in range(len(self.signals.done))]
        with self.store.transaction():
            self.stream.remove(done)
            seen = self.stream.write([put for put in puts if put is not None])
        self.stream.release()
        while self.stream.load():
            pass
        self.queue.settle()
        return seen

    def take(self) -> Any:
        """Take one item, after the writer had its turn."""
        hand: list[Any] = []
        self.queue.is_wanted = True
        self.step()
        self.queue.take(hand, 0)
        return hand[0]

    def rest(self) -> list[tuple[int, bool]]:
        """Take, as done, all that is there; return number and redelivery mark."""
        found = []
        while len(self.queue):
            item = self.take()
            found.append((item.data["seq"], item.redelivered))
            item.ack()
        self.step()
        return found

    @property
    def on_disk(self) -> list[int]:
        """Numbers of the stream's rows."""
        return [number for number, _, _ in self.store.rows("inbox", 0, -1)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file."""
    return tmp_path / "inbox.db"


@pytest.fixture
def rigs() -> Iterator[list[Rig]]:
    """Return a list whose members are closed after the test."""
    made: list[Rig] = []
    yield made
    for rig in made:
        rig.store.close()


def make(rigs: list[Rig], path: Path, **options: Any) -> Rig:
    """Return a new rig."""
    rigs.append(Rig(path, **options))
    return rigs[-1]


# Memory and disk


def test_what_does_not_fit_waits_on_the_disk(rigs: list[Rig], path: Path) -> None:
    """Memory is full at its limit, nothing is dropped, and the order stays."""
    rig = make(rigs, path, queue_size=5)
    rig.put(*range(20))

    assert (len(rig.queue), len(rig.queue.ready), rig.queue.behind) == (20, 5, 15)
    assert rig.rest() == new(*range(20))
    assert (rig.on_disk, rig.queue.dropped, rig.queue.stored) == ([], 0, 0)


def test_the_limit_of_bytes_counts_as_well(rigs: list[Rig], path: Path) -> None:
    """An event that is too large for the whole memory comes alone."""
    rig = make(rigs, path, queue_bytes=250)
    for number in range(6):
        rig.queue.put(event(number), 1_000 if number == 3 else 100)
        rig.step()
    assert len(rig.queue.ready) == 2

    assert rig.rest() == new(*range(6))


def test_new_events_wait_behind_those_on_the_disk(rigs: list[Rig], path: Path) -> None:
    """An event is not handed out before an older one, whatever room there is."""
    rig = make(rigs, path, queue_size=4)
    rig.put(*range(6))
    taken = [rig.take().data["seq"] for _ in range(2)]
    rig.put(6, 7)

    assert taken + [number for number, _ in rig.rest()] == list(range(8))


def test_the_disk_is_read_in_chunks(rigs: list[Rig], path: Path) -> None:
    """Reading begins when half of the memory is free."""
    rig = make(rigs, path, queue_size=10)
    rig.put(*range(30))
    levels = []
    for _ in range(12):
        rig.take()
        rig.step()
        levels.append(len(rig.queue.ready))

    assert levels == [9, 8, 7, 6, 10, 9, 8, 7, 6, 10, 9, 8]


def test_a_stream_that_nobody_wants_is_not_read(rigs: list[Rig], path: Path) -> None:
    """What an earlier run left stays on the disk until somebody asks for it."""
    make(rigs, path).put(1, 2)
    rig = make(rigs, path)
    rig.step()
    before = len(rig.queue.ready)

    assert before == 0
    assert rig.rest() == again(1, 2)


def test_changes_of_the_connection_keep_their_place(rigs: list[Rig], path: Path) -> None:
    """They are in order with the events around them, on the disk or not, and never stored."""
    rig = make(rigs, path, queue_size=2)
    rig.queue.put(LifecycleEvent(type="connect"), 100)
    rig.put(1, 2)
    rig.queue.put(LifecycleEvent(type="disconnect"), 100)
    rig.queue.put(event(3), 100)
    rig.put(4)
    rig.queue.put(LifecycleEvent(type="connect"), 100)
    rig.step()
    found = []
    for _ in range(7):
        item = rig.take()
        found.append(item.data["seq"] if isinstance(item, Event) else item.type)
        item.ack()
    rig.step()

    assert found == ["connect", 1, 2, "disconnect", 3, 4, "connect"]
    assert rig.on_disk == []


def test_changes_of_the_connection_do_not_pile_up(
    rigs: list[Rig], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that comes and goes while nobody reads does not fill the memory."""
    monkeypatch.setattr("evolution_ws._durable_stream._MOST_MARKS", 3)
    rig = make(rigs, path, queue_size=2)
    for _ in range(20):
        rig.queue.put(LifecycleEvent(type="connect"), 100)
    rig.step()

    assert (len(rig.queue), rig.queue.dropped) == (5, 15)


def test_messages_are_named_once_they_are_stored(rigs: list[Rig], path: Path) -> None:
    """Those in events that bring one, with the way they came."""
    rig = make(rigs, path)
    rig.queue.put(event(1), 100)
    rig.queue.put(event(2).replace(replayed=True), 100)
    rig.queue.put(Event("call", "sales", {"key": {"id": "no message"}}), 100)

    assert rig.step() == [("sales", "ID1", False), ("sales", "ID2", True)]


# Another run


def test_what_is_not_done_comes_again(rigs: list[Rig], path: Path) -> None:
    """In order, before what is new, and marked."""
    first = make(rigs, path)
    first.put(*range(5))
    for _ in range(3):
        item = first.take()
        if item.data["seq"] != 1:
            item.ack()
    first.step()
    first.queue.detach(None)
    second = make(rigs, path)
    second.put(5)

    assert second.rest() == [*again(1, 3, 4), *new(5)]


def test_damage_is_not_handed_out(rigs: list[Rig], path: Path) -> None:
    """A row that nobody can have written ends the use of the file."""
    rig = make(rigs, path)
    rig.put(1)
    with rig.store.transaction():
        rig.store.add("inbox", [(7, 1, b"rubbish")])
    rig.queue.behind += 1
    rig.queue.is_wanted = True

    with pytest.raises(InboxError, match="is damaged"):
        rig.step()


def test_what_comes_before_damage_is_handed_out(rigs: list[Rig], path: Path) -> None:
    """Events that are whole are delivered, and counted where they are."""
    first = make(rigs, path)
    first.put(1, 2)
    with first.store.transaction():
        first.store.add("inbox", [(3, 1, b"rubbish"), (4, 1, pack(event(4)))])
    rig = make(rigs, path)
    rig.queue.is_wanted = True

    with pytest.raises(InboxError, match="is damaged"):
        rig.step()

    assert (len(rig.queue), len(rig.queue.ready), rig.queue.behind) == (4, 2, 2)


def test_what_has_no_room_is_not_unpacked(
    rigs: list[Rig], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that waits for room in memory costs nothing but the look at it."""
    rig = make(rigs, path, queue_bytes=250)
    rig.put(1)
    rig.queue.put(event(2), 10_000)
    rig.step()
    rig.queue.is_wanted = True
    monkeypatch.setattr("evolution_ws._durable_stream.unpack", None)
    rig.step()

    assert (len(rig.queue.ready), rig.queue.behind) == (1, 1)


# The limit of the disk


@pytest.mark.parametrize("is_noted", [True, False], ids=["noted", "not yet noted"])
def test_an_event_that_is_done_counts_once(rigs: list[Rig], path: Path, is_noted: bool) -> None:
    """Also one that an interrupted consumer put back although it was done."""
    rig = make(rigs, path, durable_bytes=3 * LENGTH)
    rig.put(10, 11, 12)
    hand = [rig.take()]
    hand[0].ack()
    hand[0].ack()
    rig.queue.untake(hand[0])
    if is_noted:
        rig.step()
    rig.put(13, 14)

    assert rig.queue.stored == len(rig.on_disk) * LENGTH
    assert rig.rest() == new(12, 13, 14)
    assert (rig.on_disk, rig.queue.stored) == ([], 0)


def test_an_event_of_an_earlier_run_is_not_taken_for_a_new_one(rigs: list[Rig], path: Path) -> None:
    """Who puts it back late brings nothing to the file that is open now."""
    first = make(rigs, path)
    first.put(10)
    old = first.take()
    second = make(rigs, path, durable_bytes=2 * LENGTH)
    second.rest()
    second.put(11)
    held = second.take()
    second.queue.untake(old)
    second.put(12, 13)

    assert held.data["seq"] == 11
    assert len(second.on_disk) == 2
    assert second.queue.stored == 2 * LENGTH


def test_drop_oldest(rigs: list[Rig], path: Path) -> None:
    """The oldest go that nobody holds, first in memory, then on the disk."""
    rig = make(rigs, path, durable_bytes=10 * LENGTH, queue_size=4)
    rig.put(*range(10, 20))
    held = rig.take()
    rig.put(20, 21)
    rig.put(*range(22, 26))

    assert held.data["seq"] == 10
    assert rig.rest() == new(*range(17, 26))
    assert (rig.queue.dropped, rig.queue.accepted, len(rig.queue)) == (6, 10, 0)
    held.ack()
    rig.step()
    assert rig.on_disk == []
    assert rig.episodes == [0, 6]


def test_drop_oldest_reaches_the_disk(rigs: list[Rig], path: Path) -> None:
    """When those in memory are not enough, the next ones go, which are on the disk only."""
    rig = make(rigs, path, durable_bytes=10 * LENGTH, queue_size=2)
    rig.put(*range(10, 20))
    rig.put(*range(20, 25))

    assert (rig.queue.dropped, rig.queue.behind, len(rig.queue)) == (5, 10, 10)
    assert rig.rest() == new(*range(15, 25))
    assert (rig.queue.stored, rig.queue.behind_bytes) == (0, 0)


def test_drop_oldest_of_a_burst(rigs: list[Rig], path: Path) -> None:
    """Of more than there is room for at once the newest stay."""
    rig = make(rigs, path, durable_bytes=3 * LENGTH)
    rig.put(10, 11)
    rig.put(*range(12, 32))

    assert rig.rest() == new(29, 30, 31)
    assert rig.queue.dropped == 19


def test_drop_oldest_spares_what_is_held(rigs: list[Rig], path: Path) -> None:
    """When consumers hold everything, there is no room for anything new."""
    rig = make(rigs, path, durable_bytes=3 * LENGTH)
    rig.put(10, 11, 12)
    held = [rig.take() for _ in range(3)]
    rig.put(13)
    held[0].ack()
    rig.step()
    rig.put(14)

    assert rig.rest() == new(14)
    assert rig.on_disk == [2, 3]


@pytest.mark.parametrize("policy", [Overflow.DROP_NEWEST, Overflow.RAISE])
def test_refuse_the_newest(rigs: list[Rig], path: Path, policy: Overflow) -> None:
    """What arrives goes, and with RAISE the consumer is told at that place, once."""
    rig = make(rigs, path, durable_bytes=3 * LENGTH, overflow=policy)
    rig.put(*range(10, 15))
    rig.put(15)
    first = [rig.take() for _ in range(3)]
    for item in first:
        item.ack()
    rig.put(16)
    if policy is Overflow.RAISE:
        with pytest.raises(QueueOverflow, match=r"3 events were dropped.*raise durable_bytes"):
            rig.take()

    assert [item.data["seq"] for item in first] == [10, 11, 12]
    assert rig.rest() == new(16)
    assert (rig.queue.dropped, rig.episodes) == (3, [0, 3])


def test_raise_behind_the_disk(rigs: list[Rig], path: Path) -> None:
    """The place of what is missing is kept for events that are on the disk only."""
    rig = make(rigs, path, durable_bytes=4 * LENGTH, overflow="raise", queue_size=2)
    rig.put(*range(10, 15))
    assert [rig.take().data["seq"] for _ in range(4)] == [10, 11, 12, 13]

    with pytest.raises(QueueOverflow):
        rig.take()


def test_an_event_beyond_the_limit_is_let_in_alone(rigs: list[Rig], path: Path) -> None:
    """It would never fit otherwise."""
    rig = make(rigs, path, durable_bytes=LENGTH)
    rig.put(10, size=500)
    assert rig.rest() == new(10)
    rig.put(11)
    rig.put(12, size=500)

    assert rig.rest() == new(12)


def test_an_event_beyond_the_limit_with_a_change_of_the_connection(
    rigs: list[Rig], path: Path
) -> None:
    """It is the newest event all the same, and let in."""
    rig = make(rigs, path, durable_bytes=LENGTH)
    rig.queue.put(event(10, 500), 100)
    rig.queue.put(LifecycleEvent(type="disconnect"), 100)
    rig.step()

    assert (rig.take().data["seq"], rig.take().type) == (10, "disconnect")
    assert rig.queue.dropped == 0


def test_a_change_of_the_connection_outlives_the_events_before_it(
    rigs: list[Rig], path: Path
) -> None:
    """Where the events that it waited for were dropped, it is handed out before newer ones."""
    rig = make(rigs, path, durable_bytes=4 * LENGTH, queue_size=2)
    for number in (10, 11, 12):
        rig.put(number)
    rig.queue.put(LifecycleEvent(type="disconnect"), 100)
    rig.put(13)
    rig.put(14, 15, 16, 17)
    found = [rig.take() for _ in range(5)]

    assert [item.type for item in found] == ["disconnect"] + 4 * ["messages.upsert"]
    assert [item.data["seq"] for item in found[1:]] == [14, 15, 16, 17]


def test_drop_oldest_takes_changes_of_the_connection_along(rigs: list[Rig], path: Path) -> None:
    """What stood before a dropped event is gone as well."""
    rig = make(rigs, path, durable_bytes=2 * LENGTH)
    rig.queue.put(LifecycleEvent(type="connect"), 100)
    rig.put(10)
    rig.put(11, 12)

    assert rig.rest() == new(11, 12)
    assert rig.queue.dropped == 2


# The queue


def test_put_waits_while_the_disk_is_behind(
    rigs: list[Rig], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the connection back for put_timeout, then counts as full."""
    monkeypatch.setattr("evolution_ws._durable_queue._MOST_PENDING", 2)
    rig = make(rigs, path, put_timeout=0.05)
    for number in range(4):
        rig.queue.put(event(number), 100)

    assert (len(rig.queue), rig.queue.dropped, rig.episodes) == (2, 2, [0])
    assert rig.rest() == new(0, 1)


def test_put_waits_for_bytes(rigs: list[Rig], path: Path) -> None:
    """What waits for the disk is limited in bytes; a large event is let through alone."""
    rig = make(rigs, path, put_timeout=0.05, queue_bytes=8_000)
    rig.queue.put(event(0), 5_000)
    rig.queue.put(event(1), 10)

    assert (len(rig.queue), rig.queue.waiting_bytes, rig.queue.dropped) == (1, 5_000, 1)


def test_block_waits_for_the_disk_to_empty(rigs: list[Rig], path: Path) -> None:
    """Afterwards the oldest go, as in memory."""
    rig = make(rigs, path, durable_bytes=2 * LENGTH, overflow="block", put_timeout=0.05)
    rig.put(10)
    rig.put(11)
    full = rig.queue.wait_for_room(LENGTH, 0)
    rig.put(12)

    assert not full
    rig.queue._most_pending = 1
    rig.queue.put(event(13), 100)
    assert not rig.queue.wait_for_room(LENGTH, 0)
    rig.step()
    assert rig.rest() == new(12, 13)
    assert rig.queue.wait_for_room(LENGTH, 0)


def test_whoever_waits_for_room_is_woken(rigs: list[Rig], path: Path) -> None:
    """As soon as an event is done, or the writer is gone."""
    rig = make(rigs, path, durable_bytes=LENGTH)
    rig.put(10)
    item = rig.take()
    waiting = in_thread(rig.queue.wait_for_room, LENGTH, CEILING)
    wait_until(lambda: rig.queue._putters)
    item.ack()
    rig.step()
    assert waiting.result() is True

    rig.put(11)
    waiting = in_thread(rig.queue.wait_for_room, LENGTH, CEILING)
    wait_until(lambda: rig.queue._putters)
    rig.queue.cut_off()
    assert waiting.result() is True


def test_closing_ends_the_waiting_for_room(rigs: list[Rig], path: Path) -> None:
    """Whoever waits for room looks again, and is let go."""
    rig = make(rigs, path, durable_bytes=LENGTH)
    rig.put(10)
    rig.queue.close()

    assert rig.queue.wait_for_room(LENGTH, 10)
    rig.put(11)
    assert rig.on_disk == [1]


def test_a_closed_queue_is_read_to_the_end(rigs: list[Rig], path: Path) -> None:
    """In memory and on the disk, then comes the reason."""
    rig = make(rigs, path, queue_size=2)
    rig.put(*range(6))
    rig.queue.close(InboxError("the reason"))
    rig.queue.close(InboxError("another"))

    assert rig.queue.is_closed
    assert rig.rest() == new(*range(6))
    with pytest.raises(InboxError, match="the reason"):
        rig.take()
    rig.queue.reopen()
    rig.put(6)
    assert rig.rest() == new(6)


def test_a_queue_without_a_file(path: Path) -> None:
    """It takes nothing, ends when it is closed, and so does its copy in the child of a fork."""
    made: list[DurableQueue] = []
    queue = DurableQueue("inbox", ClientConfig(), lambda dropped: None, made.append)
    queue.put(event(1), 100)
    with pytest.raises(TimeoutError):
        queue.take([], 0)
    before = queue.fresh()
    queue.close()
    after = queue.fresh()

    assert made == [queue, before, after]
    assert (len(queue), before.is_closed, after.is_closed) == (0, False, True)
    for closed in (queue, after):
        with pytest.raises(QueueClosed):
            closed.take([], 0)


def test_discarding_leaves_the_disk_alone(rigs: list[Rig], path: Path) -> None:
    """Nothing more is handed out, and everything is there for the next run."""
    rig = make(rigs, path, queue_size=2)
    rig.put(*range(6))
    rig.take()
    rig.queue.close()
    rig.queue.discard()

    with pytest.raises(QueueClosed):
        rig.take()
    assert len(rig.on_disk) == 6


def test_the_end_after_an_error(rigs: list[Rig], path: Path) -> None:
    """What is in memory is stored, so it can be taken; then comes the error."""
    rig = make(rigs, path, queue_size=3)
    rig.put(*range(5))
    rig.queue.put(event(5), 100)
    rig.queue.detach(InboxError("broken"))
    hand: list[Any] = []
    for _ in range(3):
        rig.queue.take(hand, 0)

    assert [item.data["seq"] for item in hand] == [0, 1, 2]
    with pytest.raises(InboxError, match="broken"):
        rig.queue.take([], 0)
    assert len(rig.queue) == 0
