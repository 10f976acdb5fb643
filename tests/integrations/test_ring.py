"""The short memory behind the streams."""

from __future__ import annotations

import pytest

from evolution_ws import Event
from evolution_ws.integrations._ring import Overtaken, Ring
from evolution_ws.testing import build


def numbered(count: int) -> list[Event]:
    """Return events that can be told apart."""
    return [build.text(f"text {n}", id=f"ID{n}", instance="sales") for n in range(count)]


def test_ring_is_read_in_order_from_any_position() -> None:
    """after() gives the next event, and None at the end."""
    ring = Ring(10, 1_000_000)
    events = numbered(3)
    for event in events:
        ring.append(event)

    first, second, third = (ring.after(number) for number in range(3))

    assert first is not None
    assert second is not None
    assert third is not None
    assert events == [first.event, second.event, third.event]
    assert ring.after(ring.newest) is None


def test_ring_keeps_the_newest() -> None:
    """Beyond its size the oldest is forgotten, and a reader who needs it is told."""
    ring = Ring(2, 1_000_000)
    for event in numbered(3):
        ring.append(event)

    item = ring.after(1)

    assert item is not None
    assert item.number == 2
    with pytest.raises(Overtaken):
        ring.after(0)


def test_ring_is_bounded_in_bytes() -> None:
    """Memory is limited as well as number, and the newest event stays whatever its size."""
    size = len(numbered(1)[0].to_json().encode())
    ring = Ring(100, int(2.5 * size))
    for event in numbered(5):
        ring.append(event)
    kept = [number for number in range(1, 6) if _is_there(ring, number)]
    ring.append(build.text("x" * 10 * size, instance="sales"))

    assert kept == [4, 5]
    assert [number for number in range(1, 7) if _is_there(ring, number)] == [6]


def _is_there(ring: Ring, number: int) -> bool:
    try:
        return ring.after(number - 1) is not None
    except Overtaken:
        return False


def test_ring_finds_by_id() -> None:
    """An id leads to its position as long as it is remembered."""
    ring = Ring(2, 1_000_000)
    for event in numbered(3):
        ring.append(event)

    assert ring.find("sales:messages.upsert:ID2") == 3
    assert ring.find("sales:messages.upsert:ID0") is None


def test_ring_writes_ids_that_a_header_can_carry() -> None:
    """Names of instances with any characters end up as ASCII without blanks."""
    ring = Ring(2, 1_000_000)
    ring.append(build.text("Oi", id="A1", instance="são paulo\n"))
    item = ring.after(0)

    assert item is not None
    assert item.id == "s%C3%A3o%20paulo%0A:messages.upsert:A1"


def test_ring_forgets_everything_and_counts_on() -> None:
    """After clear() nothing is found, and new events have new numbers."""
    ring = Ring(10, 1_000_000)
    for event in numbered(2):
        ring.append(event)
    ring.clear()
    before = ring.after(2), ring.find("sales:messages.upsert:ID1")
    ring.append(numbered(1)[0])
    item = ring.after(2)

    assert before == (None, None)
    assert item is not None
    assert item.number == 3
