"""Streams under asynchronous exceptions: whoever is interrupted loses no event."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from evolution_ws import ClientClosed, Subscription, _queue, subscription

from .helpers import in_thread
from .interrupt_tools import Interrupt, interrupts
from .test_subscription import Bench


TOTAL = 8_000


def produce(bench: Bench) -> None:
    """Deliver numbered events in small lots, so that the consumer waits as often as it takes."""
    pause = threading.Event()
    for number in range(TOTAL):
        bench.send(number)
        if number % 10 == 0:
            pause.wait(0.0001)
    bench.hub.close()


def loop(stream: Subscription, got: list[int]) -> None:
    """Take events with a loop."""
    for event in stream:
        got.append(event.data)


def single(stream: Subscription, got: list[int]) -> None:
    """Take events one by one."""
    while True:
        got.append(stream.get().data)


@pytest.mark.parametrize("consume", [loop, single])
def test_an_interrupted_consumer_loses_nothing(
    consume: Callable[[Subscription, list[int]], None],
) -> None:
    """Interrupts anywhere in the library: every event arrives, once, in order."""
    bench, got, hits = Bench(queue_size=10**6), list[int](), 0
    producing = in_thread(produce, bench)

    with interrupts(0.0002, _queue, subscription):
        while True:
            try:
                consume(bench.stream, got)
                break
            except Interrupt:
                hits += 1
            except ClientClosed:
                break
    producing.result()

    assert got == list(range(TOTAL))
    assert hits > 50
