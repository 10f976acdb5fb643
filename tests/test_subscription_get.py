"""Streams of events: single events, the end, what is shown; no connection needed."""

from __future__ import annotations

from typing import Any

import pytest

from evolution_ws import ClientClosed
from evolution_ws.subscription import instance_names

from .helpers import MS, in_thread, wait_until
from .test_subscription import Bench, numbers


# Single events


def test_get_returns_the_oldest_event() -> None:
    """It connects, waits and removes."""
    bench = Bench()
    bench.send(1, 2)

    assert (bench.stream.get().data, bench.stream.get(timeout=0).data) == (1, 2)
    assert bench.starts == 2


def test_an_event_of_get_is_done_when_its_thread_calls_again() -> None:
    """Another thread's call says nothing about it."""
    bench = Bench(is_durable=True)
    bench.send(1, 2, 3)

    bench.stream.get()
    in_thread(bench.stream.get).result()
    before = list(bench.acked)
    bench.stream.get()
    with pytest.raises(TimeoutError):
        bench.stream.get(timeout=0)

    assert (before, bench.acked) == ([], [1, 3])


def test_get_waits_for_an_event() -> None:
    """Without a limit if none is given."""
    bench = Bench()
    task = in_thread(bench.stream.get)
    wait_until(lambda: bench.queue._getters)

    bench.send(7)

    assert task.result().data == 7


@pytest.mark.parametrize("timeout", [0, 5 * MS])
def test_get_times_out(timeout: float) -> None:
    """A wait that runs out of time raises the built-in error."""
    with pytest.raises(TimeoutError, match="no event within"):
        Bench().stream.get(timeout=timeout)


@pytest.mark.parametrize("end", ["client", "stream"])
def test_get_at_the_end_says_so(end: str) -> None:
    """The stream, or its client, is closed and read to the end."""
    bench = Bench()
    bench.send(1)
    bench.hub.close() if end == "client" else bench.stream.close()

    assert bench.stream.get().data == 1
    with pytest.raises(ClientClosed, match="make a new one") as caught:
        bench.stream.get()
    assert caught.value.__suppress_context__


# Closing, showing


def test_close_ends_the_loops_of_all_threads() -> None:
    """And nothing more arrives; a second close does nothing."""
    bench = Bench()
    tasks = [in_thread(lambda: numbers(bench.stream)) for _ in range(3)]
    wait_until(lambda: len(bench.queue._getters) == 3)

    bench.stream.close()
    bench.stream.close()
    bench.send(1)

    assert [task.result() for task in tasks] == [[], [], []]
    assert not bench.hub.wants("call")


def test_leaving_the_block_closes_the_stream() -> None:
    """After an error as well."""
    bench = Bench()

    with bench.stream as stream:
        inside = bench.hub.wants("call")
    broken = Bench()
    with pytest.raises(ZeroDivisionError), broken.stream:
        1 / broken.queue.accepted

    assert (stream is bench.stream, inside, bench.hub.wants("call")) == (True, True, False)
    assert broken.queue.is_closed


@pytest.mark.parametrize(
    ("types", "shown"),
    [
        (None, "<Subscription to all events, 2 waiting>"),
        ({"chats.set", "call"}, "<Subscription to call, chats.set, 2 waiting>"),
    ],
)
def test_the_representation_shows_what_waits(types: set[str] | None, shown: str) -> None:
    """The names of the events, not their contents."""
    bench = Bench(types)
    bench.send(1, 2)

    assert repr(bench.stream) == shown
    assert len(bench.stream) == 2


def test_an_empty_stream_is_true() -> None:
    """It is a stream all the same."""
    assert bool(Bench().stream) is True


@pytest.mark.parametrize(
    ("given", "names"),
    [(None, None), ("*", None), ("a", {"a"}), (["a", "b", "a"], {"a", "b"}), ([], set())],
)
def test_instances_are_given_in_several_ways(given: Any, names: set[str] | None) -> None:
    """One name, several, or all."""
    expected = None if names is None else frozenset(names)

    assert instance_names(given) == expected
