"""The bounded queue between threads: waiting, waking, closing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from evolution_ws import Overflow
from evolution_ws._queue import EventQueue, QueueClosed, _wait

from .helpers import MS, Task, in_thread, wait_until
from .test_queue import drain, fill, make, take


def waiting(queue: EventQueue[int], count: int = 1) -> None:
    """Wait until that many consumers wait."""
    wait_until(lambda: len(queue._getters) == count)


# BLOCK


def test_block_waits_until_a_consumer_makes_room() -> None:
    """Nothing is dropped while consumers keep up within the timeout."""
    queue = make(maxsize=1, overflow=Overflow.BLOCK, put_timeout=60)
    queue.put(1, 1)

    putting = in_thread(queue.put, 2, 1)
    wait_until(lambda: queue._putters)
    first = take(queue)
    putting.result()

    assert (first, drain(queue), queue.dropped) == (1, [2], 0)


def test_block_delivers_everything_in_order_to_a_consumer_that_keeps_up() -> None:
    """A small queue hands thousands of events over one by one."""
    queue = make(maxsize=2, overflow=Overflow.BLOCK, put_timeout=60)

    putting = in_thread(fill, queue, *range(3000))
    got = [take(queue, 60) for _ in range(3000)]
    putting.result()

    assert (got, queue.dropped) == (list(range(3000)), 0)


def test_block_waits_for_the_memory_that_an_event_needs() -> None:
    """Room means both: events and bytes."""
    queue = make(maxsize=10, max_bytes=10, overflow=Overflow.BLOCK, put_timeout=60)
    fill(queue, 1, 2, size=5)

    putting = in_thread(queue.put, 3, 8)
    wait_until(lambda: queue._putters)
    take(queue)
    wait_until(lambda: queue._putters)
    take(queue)
    putting.result()

    assert (drain(queue), queue.dropped) == ([3], 0)


def test_block_drops_the_oldest_after_its_timeout() -> None:
    """The connection is not held up for longer than put_timeout."""
    queue = make(maxsize=1, overflow=Overflow.BLOCK, put_timeout=20 * MS)
    queue.put(1, 1)
    began = time.monotonic()

    queue.put(2, 1)

    assert time.monotonic() - began >= 20 * MS
    assert (drain(queue), queue.dropped) == ([2], 1)


def test_close_frees_a_producer_that_waits_for_room() -> None:
    """The thread that reads the socket is not held up by a queue that has ended."""
    queue = make(maxsize=1, overflow=Overflow.BLOCK, put_timeout=600)
    queue.put(1, 1)

    putting = in_thread(queue.put, 2, 1)
    wait_until(lambda: queue._putters)
    queue.close()
    putting.result()

    assert drain(queue) == [1]


# Waiting and waking


def test_put_wakes_a_waiting_consumer() -> None:
    """A consumer that waits without limit gets the event."""
    queue = make()
    taking = in_thread(take, queue, None)
    waiting(queue)

    queue.put(7, 1)

    assert taking.result() == 7


def test_many_consumers_share_the_events() -> None:
    """Each event reaches exactly one of them."""
    queue = make(maxsize=10_000)

    def consume() -> list[int]:
        got: list[int] = []
        try:
            while True:
                got.append(take(queue, None))
        except QueueClosed:
            return got

    consumers = [in_thread(consume) for _ in range(8)]
    waiting(queue, 8)
    fill(queue, *range(5000))
    wait_until(lambda: not len(queue))
    queue.close()
    shares = [consumer.result() for consumer in consumers]

    assert sorted(number for share in shares for number in share) == list(range(5000))
    assert all(share == sorted(share) for share in shares)


def test_each_of_several_waiting_consumers_is_woken_by_one_event() -> None:
    """Two events wake two consumers, and the third waits on."""
    queue = make()
    consumers = [in_thread(take, queue, None) for _ in range(3)]
    waiting(queue, 3)

    fill(queue, 1, 2)
    wait_until(lambda: sum(task.is_done for task in consumers) == 2)
    waiting(queue, 1)
    queue.put(3, 1)

    assert sorted(task.result() for task in consumers) == [1, 2, 3]


def test_a_consumer_that_was_woken_without_sleeping_wakes_the_next_one() -> None:
    """A wake-up meant for somebody who is awake anyway goes to whoever sleeps behind it."""
    queue = make()
    sleepers: list[Task] = []

    def ready() -> bool:
        # The first in the line finds an event at once; the one behind it went to sleep meanwhile.
        sleepers.append(in_thread(take, queue, None))
        wait_until(lambda: len(queue._getters) == 2)
        queue.put(1, 1)
        queue.put(2, 1)
        return True

    _wait(queue._getters, 60, ready)
    taken = take(queue), sleepers[0].result()

    assert sorted(taken) == [1, 2]


# Closing


def test_close_lets_consumers_read_what_is_left() -> None:
    """Events that came before the end can be read after it."""
    queue = make()
    fill(queue, 1, 2)

    queue.close()

    assert (queue.is_closed, drain(queue)) == (True, [1, 2])
    with pytest.raises(QueueClosed):
        take(queue, None)


def test_close_hands_its_error_to_every_consumer() -> None:
    """The reason for the end is raised after the rest was read, as often as somebody asks."""
    queue = make()
    fill(queue, 1)

    queue.close(KeyError("why"))
    assert take(queue) == 1

    for _ in range(2):
        with pytest.raises(KeyError, match="why"):
            take(queue)


def test_the_first_error_of_several_closes_counts() -> None:
    """A second close neither hides nor replaces the cause."""
    queue = make()

    queue.close(KeyError("first"))
    queue.close(KeyError("second"))
    queue.close()

    with pytest.raises(KeyError, match="first"):
        take(queue)


def test_put_after_close_is_ignored() -> None:
    """Nothing arrives after the end."""
    queue = make()
    queue.close()

    queue.put(1, 1)

    assert (len(queue), queue.accepted, queue.dropped) == (0, 0, 0)


def test_an_event_that_came_with_the_close_is_still_taken() -> None:
    """A consumer that saw the queue empty and then closed looks once more."""
    queue = make()
    move = queue._move

    def late(pairs: list[Any]) -> bool:
        if move(pairs):
            return True
        queue._move = move  # type: ignore[method-assign]
        queue.put(1, 1)
        queue.close()
        return False

    queue._move = late  # type: ignore[method-assign]

    assert take(queue) == 1


def test_reopen_takes_events_again() -> None:
    """After a failure that was repaired, the stream goes on."""
    queue = make()
    queue.close(KeyError("why"))

    queue.reopen()
    queue.put(1, 1)

    assert (queue.is_closed, take(queue)) == (False, 1)
    with pytest.raises(TimeoutError):
        take(queue)


def test_discard_throws_everything_away_uncounted() -> None:
    """What is discarded was neither dropped nor delivered."""
    queue = make()
    fill(queue, 1, 2)
    take(queue)

    queue.discard()

    assert (len(queue), queue.dropped, queue.accepted, queue.waiting_bytes) == (0, 0, 1, 0)


def test_close_wakes_all_who_wait() -> None:
    """No consumer is left behind."""
    queue = make()
    consumers = [in_thread(take, queue, None) for _ in range(5)]
    waiting(queue, 5)

    queue.close()

    for consumer in consumers:
        with pytest.raises(QueueClosed):
            consumer.result()


def test_producers_on_several_threads_lose_nothing() -> None:
    """The socket's thread and the supervisor may put at the same time."""
    queue = make(maxsize=100_000)
    start = threading.Barrier(4)

    def produce(first: int) -> None:
        start.wait()
        fill(queue, *range(first, first + 2000))

    producers = [in_thread(produce, number * 2000) for number in range(4)]
    for producer in producers:
        producer.result()

    assert (queue.accepted, queue.waiting_bytes) == (8000, 8000)
    assert sorted(drain(queue)) == list(range(8000))


# Several at once


def test_several_items_wake_as_many_consumers() -> None:
    """Each of them gets one, and nobody sleeps on beside what waits."""
    queue = make()
    takers = [in_thread(take, queue, 60) for _ in range(3)]
    waiting(queue, 3)

    queue.extend([(1, 10), (2, 20), (3, 30), (4, 40)])

    assert sorted(taker.result() for taker in takers) == [1, 2, 3]
    assert (drain(queue), queue.accepted, queue.waiting_bytes) == ([4], 4, 0)


def test_a_consumer_may_come_while_several_items_are_added() -> None:
    """What waits is counted right at every moment."""
    queue = make()
    levels = []

    def items() -> Iterator[tuple[int, int]]:
        for number in range(3):
            yield number, 10
            levels.append(queue.waiting_bytes)

    queue.extend(items())

    assert levels == [10, 20, 30]


def test_a_closed_queue_takes_none_of_several() -> None:
    """As with a single one."""
    queue = make()
    queue.extend([(1, 10), (2, 20)])
    waits = queue.waiting_bytes
    queue.close()

    queue.extend([(3, 30)])

    assert (waits, drain(queue), queue.accepted) == (30, [1, 2], 2)
