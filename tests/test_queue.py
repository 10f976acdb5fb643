"""The bounded queue: limits, policies, order, waiting and waking."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from evolution_ws import Overflow, QueueOverflow
from evolution_ws._queue import EventQueue

from .helpers import MS, in_thread


ROOMY = 10**9


def make(
    maxsize: int = 3,
    max_bytes: int = ROOMY,
    overflow: Overflow = Overflow.DROP_OLDEST,
    put_timeout: float = 50 * MS,
    on_episode: Callable[[int], object] = lambda dropped: None,
) -> EventQueue[int]:
    """Return a queue of numbers."""
    return EventQueue(maxsize, max_bytes, overflow, put_timeout, on_episode)


def fill(queue: EventQueue[int], *items: int, size: int = 1) -> None:
    """Put *items*, each of *size* bytes."""
    for item in items:
        queue.put(item, size)


def take(queue: EventQueue[int], timeout: float | None = 0) -> int:
    """Take one item."""
    hand: list[int] = []
    queue.take(hand, timeout)
    return hand[0]


def drain(queue: EventQueue[int]) -> list[int]:
    """Take what is there."""
    return [take(queue) for _ in range(len(queue))]


# Order and limits


def test_take_returns_events_in_the_order_of_put() -> None:
    """What was put first is taken first."""
    queue = make(maxsize=100)

    fill(queue, *range(100))

    assert drain(queue) == list(range(100))


def test_take_of_an_empty_queue_times_out_at_once_with_0() -> None:
    """A timeout of 0 never waits."""
    with pytest.raises(TimeoutError, match="no event within 0 seconds"):
        take(make())


def test_take_times_out_after_the_timeout() -> None:
    """An empty queue ends the wait after the timeout, not before."""
    began = time.monotonic()

    with pytest.raises(TimeoutError, match=r"no event within 0\.\d+ seconds"):
        take(make(), timeout=20 * MS)

    assert time.monotonic() - began >= 20 * MS


@pytest.mark.parametrize(
    ("overflow", "kept"),
    [
        pytest.param(Overflow.DROP_OLDEST, [3, 4, 5], id="oldest"),
        pytest.param(Overflow.DROP_NEWEST, [1, 2, 3], id="newest"),
        pytest.param(Overflow.BLOCK, [3, 4, 5], id="block, after its timeout"),
    ],
)
def test_put_into_a_full_queue_drops_by_policy(overflow: Overflow, kept: list[int]) -> None:
    """The policy decides which events stay; the others are counted."""
    queue = make(overflow=overflow, put_timeout=5 * MS)

    fill(queue, 1, 2, 3, 4, 5)

    assert (queue.dropped, queue.accepted, len(queue)) == (2, 3, 3)
    assert drain(queue) == kept


def test_accepted_counts_what_was_or_will_be_taken() -> None:
    """Events taken are those accepted, less those that still wait."""
    queue = make(maxsize=2)

    fill(queue, 1, 2, 3)
    take(queue)
    fill(queue, 4, 5, 6)

    assert (queue.accepted - len(queue), queue.dropped) == (1, 3)


@pytest.mark.parametrize(
    ("overflow", "kept"),
    [
        pytest.param(Overflow.DROP_OLDEST, [2, 3], id="oldest"),
        pytest.param(Overflow.DROP_NEWEST, [1, 2], id="newest"),
    ],
)
def test_bytes_are_limited_as_well(overflow: Overflow, kept: list[int]) -> None:
    """The queue is full when the next event would exceed the limit of memory."""
    queue = make(maxsize=100, max_bytes=25, overflow=overflow)

    fill(queue, 1, 2, 3, size=10)

    assert queue.waiting_bytes == 20
    assert drain(queue) == kept


def test_one_large_event_pushes_several_small_ones_out() -> None:
    """As many events leave as the new one needs room."""
    queue = make(maxsize=100, max_bytes=30)
    fill(queue, 1, 2, 3, size=10)

    queue.put(4, 15)

    assert (queue.waiting_bytes, queue.dropped) == (25, 2)
    assert drain(queue) == [3, 4]


def test_an_event_larger_than_the_limit_is_let_in_alone() -> None:
    """It would never be delivered otherwise."""
    queue = make(max_bytes=30)
    fill(queue, 1, 2, size=10)

    queue.put(3, 1000)

    assert (queue.waiting_bytes, drain(queue)) == (1000, [3])


def test_waiting_bytes_follow_what_is_put_and_taken() -> None:
    """The estimate is exact at every step."""
    queue = make()
    sizes = []

    for size in (5, 7, 9):
        queue.put(size, size)
        sizes.append(queue.waiting_bytes)
    for _ in range(3):
        take(queue)
        sizes.append(queue.waiting_bytes)

    assert sizes == [5, 12, 21, 16, 9, 0]


def test_a_queue_without_room_holds_the_newest_event() -> None:
    """Where nothing is left to drop, the event is let in."""
    queue = make(maxsize=0)

    fill(queue, 1, 2)

    assert (drain(queue), queue.dropped) == ([2], 1)


def test_untake_puts_an_event_back_in_front() -> None:
    """An event that was not handed to anybody is the next one again."""
    queue = make()
    fill(queue, 1, 2, size=10)

    queue.untake(take(queue))

    assert (queue.waiting_bytes, drain(queue)) == (10, [1, 2])


def test_untake_into_an_empty_queue_puts_it_back() -> None:
    """The last event can be put back as well."""
    queue = make()
    fill(queue, 1)

    queue.untake(take(queue))

    assert drain(queue) == [1]


def test_fresh_returns_an_empty_queue_with_the_same_limits() -> None:
    """What waits stays behind, and so do the counters."""
    queue = make(maxsize=2)
    fill(queue, 1, 2, 3)

    fresh = queue.fresh()
    fill(fresh, 4, 5, 6)

    assert (drain(fresh), fresh.dropped, drain(queue)) == ([5, 6], 1, [2, 3])


def test_fresh_of_a_closed_queue_is_closed() -> None:
    """A queue that ended does not come to life again."""
    queue = make()
    queue.close(KeyError("why"))

    with pytest.raises(KeyError, match="why"):
        take(queue.fresh())


# Episodes


def test_an_episode_is_told_once_at_its_beginning_and_its_end() -> None:
    """Dropping is reported when it starts and, with its number, once half of the room is free."""
    told: list[int] = []
    queue = make(maxsize=4, on_episode=told.append)

    fill(queue, *range(10))
    assert told == [0]
    take(queue)
    fill(queue, 10, 11)
    assert told == [0]
    drain(queue)
    fill(queue, 12)

    assert told == [0, 7]


def test_a_second_episode_is_told_again() -> None:
    """Each episode has its own number."""
    told: list[int] = []
    queue = make(maxsize=2, on_episode=told.append)

    for _ in range(2):
        fill(queue, 1, 2, 3)
        drain(queue)
        fill(queue, 4)
        drain(queue)

    assert told == [0, 1, 0, 1]


def test_an_episode_of_bytes_ends_when_half_of_the_memory_is_free() -> None:
    """Both limits have to be half free."""
    told: list[int] = []
    queue = make(maxsize=100, max_bytes=100, on_episode=told.append)

    fill(queue, 1, 2, size=60)
    assert told == [0]
    drain(queue)
    queue.put(3, 51)
    assert told == [0]
    drain(queue)
    queue.put(4, 50)

    assert told == [0, 1]


def test_the_report_of_an_episode_may_use_the_queue() -> None:
    """No lock is held while somebody is told."""
    queue: EventQueue[int]

    def report(dropped: int) -> None:
        if len(queue) < 3:
            queue.put(100, 1)

    queue = make(maxsize=1, overflow=Overflow.DROP_NEWEST, on_episode=report)
    queue.put(1, 1)

    in_thread(queue.put, 2, 1).result()

    assert (drain(queue), queue.dropped) == ([1], 2)


# RAISE


def test_raise_marks_the_place_where_events_are_missing() -> None:
    """The consumer gets what came before, then the error, then what came after."""
    queue = make(overflow=Overflow.RAISE)

    fill(queue, 1, 2, 3, 4, 5)
    before = [take(queue) for _ in range(3)]
    with pytest.raises(QueueOverflow, match="2 events were dropped"):
        take(queue)
    fill(queue, 6)

    assert (before, drain(queue)) == ([1, 2, 3], [6])


def test_raise_puts_one_mark_for_one_gap() -> None:
    """However many events are missing at one place, the consumer hears of it once."""
    queue = make(maxsize=2, overflow=Overflow.RAISE)

    fill(queue, 1, 2, 3, 4)
    assert (take(queue), take(queue)) == (1, 2)
    fill(queue, 5)
    with pytest.raises(QueueOverflow, match="2 events"):
        take(queue)

    assert drain(queue) == [5]


def test_raise_marks_an_empty_queue_that_is_too_small_for_anything() -> None:
    """A queue without room is a gap from the first event on."""
    queue = make(maxsize=0, overflow=Overflow.RAISE)

    fill(queue, 1)

    with pytest.raises(QueueOverflow):
        take(queue)
