"""Streams of events: loops, single events, sharing, ends, interrupts; no connection needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from evolution_ws import (
    AuthenticationError,
    ClientConfig,
    ConfigError,
    Event,
    LifecycleEvent,
    QueueOverflow,
    Subscription,
)
from evolution_ws._hub import Consumer, Hub
from evolution_ws._queue import EventQueue

from .helpers import MS, in_thread, wait_until
from .interrupt_tools import Interrupt


class Bench:
    """A subscription on a hub without a connection."""

    def __init__(
        self, types: set[str] | None = None, is_durable: bool = False, **options: Any
    ) -> None:
        inbox: Any = object() if is_durable else None  # of no use to streams of this name
        self.hub = Hub(ClientConfig(**options), inbox)
        self.starts = 0
        self.acked: list[Any] = []
        queue = self.hub.new_queue("a subscription")
        assert isinstance(queue, EventQueue)
        self.queue: EventQueue[Any] = queue
        names = None if types is None else frozenset(types)
        self.stream = Subscription(self.hub, Consumer(queue, names), self._start)

    def _start(self) -> None:
        self.starts += 1

    def send(self, *numbers: int, name: str = "call", instance: str = "sales") -> None:
        """Deliver numbered events that note when they are done."""
        for number in numbers:
            event = Event(name, instance, number)
            object.__setattr__(event, "_ack", lambda number=number: self.acked.append(number))
            self.hub.deliver(event, 1)


def numbers(events: Iterable[Any]) -> list[int]:
    """Return the data of events."""
    return [event.data for event in events]


# Loops


def test_a_loop_yields_events_in_order_until_the_end() -> None:
    """After the close, what is left comes first."""
    bench = Bench()
    bench.send(1, 2, 3)
    bench.hub.close()

    assert numbers(bench.stream) == [1, 2, 3]
    assert bench.starts == 1


def test_a_loop_connects_when_it_begins() -> None:
    """Not when the iterator is made."""
    bench = Bench()
    bench.send(1)

    events = bench.stream.events(limit=1)
    before = bench.starts
    assert numbers(events) == [1]

    assert (before, bench.starts) == (0, 1)


@pytest.mark.parametrize(("limit", "expected"), [(0, []), (2, [1, 2]), (9, [1, 2, 3])])
def test_a_limit_ends_a_loop(limit: int, expected: list[int]) -> None:
    """What is beyond it stays in the stream."""
    bench = Bench()
    bench.send(1, 2, 3)

    assert numbers(bench.stream.events(limit=limit, timeout=0)) == expected
    assert len(bench.stream) == 3 - len(expected)


@pytest.mark.parametrize("timeout", [0, 5 * MS])
def test_a_timeout_ends_a_loop_quietly(timeout: float) -> None:
    """Nothing came for so long."""
    bench = Bench()
    bench.send(1)

    assert numbers(bench.stream.events(timeout=timeout)) == [1]


def test_a_timeout_counts_matching_events_only() -> None:
    """Others do not keep a loop alive."""
    bench = Bench()
    stop = threading.Event()

    def chatter() -> None:
        while not stop.wait(MS):
            bench.send(0, name="presence.update")

    task = in_thread(chatter)
    got = numbers(bench.stream.events("call", timeout=50 * MS))
    stop.set()
    task.result()

    assert got == []


def test_a_loop_takes_what_does_not_match_as_done() -> None:
    """Types in any spelling, instances by name; the rest is gone."""
    bench = Bench(is_durable=True)
    bench.send(1)
    bench.send(2, name="chats.set")
    bench.send(3, instance="support")
    bench.send(4)
    bench.hub.close()

    events = bench.stream.events("CALL", instance="sales")

    assert numbers(events) == [1, 4]
    assert bench.acked == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("types", "instance", "expected"),
    [
        pytest.param(["disconnect"], None, ["disconnect"], id="lifecycle"),
        pytest.param(["disconnect", "call"], "x", ["disconnect"], id="of another instance"),
        pytest.param([], "sales", ["call", "disconnect"], id="instance"),
        pytest.param([], ["sales", "x"], ["call", "disconnect"], id="instances"),
        pytest.param(["*"], "*", ["call", "disconnect"], id="all"),
    ],
)
def test_lifecycle_events_are_matched_as_well(
    types: list[str], instance: Any, expected: list[str]
) -> None:
    """What concerns the connection concerns every instance."""
    bench = Bench({"call", "disconnect"})
    bench.send(1)
    bench.hub.deliver(LifecycleEvent(type="disconnect"))
    bench.hub.close()

    assert [event.type for event in bench.stream.events(*types, instance=instance)] == expected


def test_a_wrong_name_is_refused_before_the_loop_begins() -> None:
    """The mistake shows where it is made."""
    bench = Bench()

    with pytest.raises(ConfigError):
        bench.stream.events("")

    assert bench.starts == 0


def test_an_event_is_done_when_the_loop_comes_back() -> None:
    """Not before its body has ended."""
    bench = Bench(is_durable=True)
    bench.send(1, 2)
    bench.hub.close()

    seen = [(event.data, list(bench.acked)) for event in bench.stream]

    assert seen == [(1, []), (2, [1])]
    assert bench.acked == [1, 2]


@pytest.mark.parametrize("is_durable", [True, False])
def test_events_may_be_left_to_the_user(is_durable: bool) -> None:
    """Who says auto_ack=False says himself what is done."""
    bench = Bench(is_durable=is_durable, auto_ack=False)
    bench.send(1, 2, 3)
    bench.hub.close()

    bench.stream.get()
    assert numbers(bench.stream) == [2, 3]
    assert bench.acked == []


def test_an_event_whose_loop_was_left_is_not_done() -> None:
    """An error in the body, or a break: it was not finished."""
    bench = Bench(is_durable=True)
    bench.send(1, 2)

    for _ in bench.stream:
        break

    assert (bench.acked, len(bench.stream)) == ([], 1)


@pytest.mark.parametrize("how", ["loop", "get"])
def test_the_reason_for_the_end_is_raised_after_the_rest(how: str) -> None:
    """What arrived before is read first."""
    bench = Bench()
    bench.send(1)
    bench.hub.close(AuthenticationError("refused"))

    events = bench.stream.events()
    assert next(events).data == 1

    with pytest.raises(AuthenticationError, match="refused"):
        next(events) if how == "loop" else bench.stream.get()


def test_missing_events_are_raised_where_they_are_missing() -> None:
    """A new loop goes on behind the gap."""
    bench = Bench(queue_size=2, overflow="raise")
    bench.send(1, 2, 3)
    got: list[int] = []

    with pytest.raises(QueueOverflow):
        got.extend(iter_numbers(bench.stream, got))
    bench.send(4)

    assert (got, numbers(bench.stream.events(timeout=0))) == ([1, 2], [4])


def test_an_event_that_was_not_handed_out_goes_back() -> None:
    """Whoever is interrupted while an event is being matched loses nothing."""
    bench = Bench()
    bench.send(1, 2)

    take = bench.stream._take_matching
    bench.stream._take_matching = interrupting(take)  # type: ignore[method-assign]
    with pytest.raises(Interrupt):
        bench.stream.get()
    with pytest.raises(Interrupt):
        next(bench.stream.events())
    bench.stream._take_matching = take  # type: ignore[method-assign]

    assert numbers(bench.stream.events(timeout=0)) == [1, 2]


def interrupting(function: Callable[..., object]) -> Callable[..., None]:
    """Return *function*, which is interrupted as soon as it has done its work."""

    def call(*args: object) -> None:
        function(*args)
        raise Interrupt

    return call


def iter_numbers(stream: Subscription, into: list[int]) -> list[int]:
    """Append the data of events to *into* as they come; return an empty list at the end."""
    for event in stream:
        into.append(event.data)
    return []


def test_several_threads_share_one_stream() -> None:
    """Each event reaches exactly one of them."""
    bench = Bench()
    tasks = [in_thread(lambda: numbers(bench.stream)) for _ in range(4)]

    bench.send(*range(2000))
    wait_until(lambda: not len(bench.stream))
    bench.stream.close()
    shares = [task.result() for task in tasks]

    assert sorted(number for share in shares for number in share) == list(range(2000))
