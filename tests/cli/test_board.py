"""Counts, rates and delays."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from evolution_ws import Event
from evolution_ws.cli._board import Board, Row


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def event(
    kind: str = "call", delay: float = 0.0, zone: float = 0.0, replayed: bool = False
) -> Event:
    """Return an event that took *delay* seconds, from a server in a time zone of *zone* hours."""
    told = NOW - timedelta(seconds=delay) + timedelta(hours=zone)
    wall = told.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Event(kind, "sales", date_time=wall, received_at=NOW, replayed=replayed)


def test_rates_are_of_the_last_seconds() -> None:
    """Events leave the rate when they are old and stay in the total."""
    board = Board(window=10)
    board.start(0)
    for second in range(20):
        board.add(event(), second)
    board.add(event("messages.upsert"), 19)

    assert [
        Row("sales", "call", 20, 1.0),
        Row("sales", "messages.upsert", 1, 0.1),
    ] == board.rows(19.5)
    assert [0, 0] == [row.rate for row in board.rows(100)]


def test_rates_of_a_beginning() -> None:
    """Before the window is full, rates are of the time that has passed."""
    board = Board(window=10)
    board.start(0)
    for _ in range(8):
        board.add(event(), 1)

    assert board.rows(4)[0].rate == 2
    assert Board().rows(0) == []


@pytest.mark.parametrize("zone", [0, -3, 5.75, 14], ids=str)
def test_delay_whatever_the_zone(zone: float) -> None:
    """The server's zone does not count, only what is left over."""
    board = Board()
    for delay in (0.1, 0.2, 0.3, 0.4):
        board.add(event(delay=delay, zone=zone), 0)

    assert board.delay(0.5) == pytest.approx(0.3, abs=0.002)
    assert board.delay(0.95) == pytest.approx(0.4, abs=0.002)


def test_no_delay() -> None:
    """Events without a time, and those from the history, tell no delay."""
    board = Board()
    board.add(Event("call", "sales", date_time="yesterday"), 0)
    board.add(event(delay=100, replayed=True), 0)

    assert board.delay(0.5) is None
