"""The bounded queue under asynchronous exceptions: Ctrl-C, Celery's soft time limit."""

from __future__ import annotations

import threading

import pytest

from evolution_ws import _queue
from evolution_ws._queue import EventQueue, QueueClosed

from .helpers import in_thread
from .interrupt_tools import Interrupt, interrupts
from .test_queue import make


TOTAL = 8_000


def produce(queue: EventQueue[int]) -> None:
    """Put numbers in small lots, so that consumers sleep about as often as they take."""
    pause = threading.Event()
    for number in range(TOTAL):
        queue.put(number, 1)
        if number % 10 == 0:
            pause.wait(0.0001)
    queue.close()


def take_all(queue: EventQueue[int], timeout: float | None) -> tuple[list[int], int]:
    """Take until the queue is closed; return the items, and the number of interrupts survived."""
    hands: list[list[int]] = []
    hits = 0
    while True:
        try:
            while True:
                hand: list[int] = []
                hands.append(hand)
                queue.take(hand, timeout)
        except Interrupt:
            hits += 1
        except QueueClosed:
            return [item for hand in hands for item in hand], hits


@pytest.mark.parametrize("timeout", [None, 60.0], ids=["no limit", "limit"])
def test_an_interrupted_consumer_loses_nothing_and_locks_nothing(timeout: float | None) -> None:
    """Interrupts at any place: every event is taken, once, in order."""
    queue = make(maxsize=10**6)

    with interrupts(0.0002, _queue):
        producing = in_thread(produce, queue)
        taken, hits = take_all(queue, timeout)
    producing.result()

    assert taken == list(range(TOTAL))
    assert (len(queue), len(queue._getters), queue._producer.locked()) == (0, 0, False)
    assert hits > 50


def test_interrupts_of_one_consumer_do_not_harm_the_others() -> None:
    """Each event reaches exactly one of several consumers, one of which is interrupted."""
    queue = make(maxsize=10**6)

    others = [in_thread(take_all, queue, None) for _ in range(2)]
    with interrupts(0.0002, _queue):
        producing = in_thread(produce, queue)
        taken, hits = take_all(queue, None)
    producing.result()

    everything = taken + [item for other in others for item in other.result()[0]]
    assert sorted(everything) == list(range(TOTAL))
    assert hits > 50
