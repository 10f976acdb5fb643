"""Where the next window of each instance begins."""

from __future__ import annotations

import time

import pytest

from evolution_ws._windows import Windows


NOW = time.time()


def windows(*names: str, since: float | None = None, live: bool = True) -> Windows:
    """Return windows that are covered up to now, of instances whose events arrive."""
    made = Windows(names, since)
    made.start()
    made.begin(NOW)
    made.live(names if live else ())
    return made


@pytest.mark.parametrize(
    ("since", "expected"), [(None, NOW), (NOW - 50, NOW - 50)], ids=["now", "since"]
)
def test_a_beginning(since: float | None, expected: float) -> None:
    """A client wants what comes from now on, or from a time that it was given."""
    made = Windows(("a",), since)
    made.start()

    assert made.catches_up is (since is not None)
    assert expected <= made.origin <= expected + (time.time() - NOW)
    assert made.origin == made.owe("a", 0.0)


def test_a_connection_covers_what_is_live() -> None:
    """The next window begins where the connection was complete, for what it brought."""
    made = windows("a", "b", live=False)
    made.live(["a"])
    made.ended(NOW + 10, False)

    assert (NOW + 10, NOW) == (made.owe("a", 0.0), made.owe("b", 0.0))


def test_a_global_connection_covers_everything() -> None:
    """On / the events of all instances arrive, joined or not."""
    made = windows("a", "b", live=False)
    made.ended(NOW + 10, True)

    assert NOW + 10 == made.owe("b", 0.0)


def test_nothing_goes_back() -> None:
    """What was covered once stays so."""
    made = windows("a")
    made.ended(NOW - 10, False)

    assert NOW == made.owe("a", 0.0)


def test_a_window_that_is_owed_stays_open() -> None:
    """Later connections do not cover it, until it is filled."""
    made = windows("a")
    assert NOW == made.owe("a", 0.0)
    made.ended(NOW + 10, False)
    made.live(["a"])
    made.left("a", from_root=False)
    assert {"a": NOW} == made.snapshot(NOW + 20, True)
    assert NOW == made.owe("a", 0.0)

    made.settle("a", NOW + 30)
    made.live(["a"])
    made.ended(NOW + 40, False)

    assert NOW + 40 == made.owe("a", 0.0)


@pytest.mark.parametrize(
    ("live", "from_root", "moves"),
    [(True, False, True), (False, False, False), (False, True, True)],
    ids=["live", "not live", "from root"],
)
def test_a_namespace_that_is_left(live: bool, from_root: bool, moves: bool) -> None:
    """What arrived up to then is covered, if anything did."""
    made = windows("a", live=live)
    made.left("a", from_root)

    assert moves is (made.owe("a", 0.0) > NOW)


def test_a_snapshot() -> None:
    """It counts the present connection in, and changes nothing."""
    made = windows("a")

    assert {"a": NOW + 5} == made.snapshot(NOW + 5, False)
    assert {"a": NOW} == made.snapshot(None, False)


def test_a_fork() -> None:
    """A child has missed nothing yet."""
    made = windows("a")
    made.owe("a", 0.0)
    made.after_fork()
    made.start()

    assert made.owe("a", 0.0) >= NOW
