"""Acknowledgements: who waits gets the answer, or the reason why there is none."""

from __future__ import annotations

import queue
from typing import Any

import pytest

from evolution_ws import ConnectionLost
from evolution_ws._acks import Acknowledgements


def test_an_answer_reaches_the_one_that_waits_for_it() -> None:
    """Namespace and number together tell whose answer it is."""
    acks = Acknowledgements()
    first, waiter = acks.expect("/a")
    second, other = acks.expect("/a")

    acks.resolve("/a", second, ["two"])
    acks.resolve("/b", first, ["no"])
    acks.resolve("/a", first, ["one", 1])

    assert first != second
    assert waiter.get(timeout=0) == ["one", 1]
    assert other.get(timeout=0) == ["two"]


def test_a_second_answer_is_ignored() -> None:
    """The server may repeat itself."""
    acks = Acknowledgements()
    number, waiter = acks.expect("/")

    acks.resolve("/", number, ["first"])
    acks.resolve("/", number, ["second"])

    assert waiter.get(timeout=0) == ["first"]
    with pytest.raises(queue.Empty):
        waiter.get(timeout=0)


def test_what_is_forgotten_is_not_delivered() -> None:
    """A late answer meets nobody; forgetting twice is no error."""
    acks = Acknowledgements()
    number, waiter = acks.expect("/")

    acks.forget("/", number)
    acks.forget("/", number)
    acks.resolve("/", number, [])

    with pytest.raises(queue.Empty):
        waiter.get(timeout=0)


def test_a_failure_reaches_all_who_wait_and_only_them() -> None:
    """When the connection drops, no answer will come."""
    acks, error = Acknowledgements(), ConnectionLost("dropped")
    waiters = [acks.expect("/")[1] for _ in range(3)]

    acks.fail(error)
    _, later = acks.expect("/")
    acks.fail(ConnectionLost("again"))

    assert [waiter.get(timeout=0) for waiter in waiters] == [error] * 3
    assert str(later.get(timeout=0)) == "again"


def test_an_answer_that_comes_during_a_failure_wins() -> None:
    """The last waiter may be served by another thread meanwhile."""
    acks = Acknowledgements()

    class Racing(dict[tuple[str, int], Any]):
        """Is emptied by somebody else between the look and the grasp."""

        def popitem(self) -> Any:
            self.clear()
            return super().popitem()

    acks._waiting = Racing()
    _, waiter = acks.expect("/")
    acks.fail(ConnectionLost("dropped"))

    assert waiter.empty()
