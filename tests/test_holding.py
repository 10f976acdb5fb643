"""Live events that wait for older ones."""

from __future__ import annotations

from evolution_ws import Event
from evolution_ws._holding import EVERY_INSTANCE, Holding


def make(max_bytes: int = 10**6) -> tuple[Holding, list[int]]:
    """Return a holding, and the numbers of the events that it delivers."""
    got: list[int] = []
    return Holding(lambda event, size: got.append(event.data), max_bytes), got


def event(number: int, instance: str = "a") -> Event:
    """Return a numbered event."""
    return Event("call", instance, number)


def test_nothing_is_held_at_first() -> None:
    """The usual way costs one look."""
    holding, got = make()

    assert not holding
    assert holding.take(event(1), 1) is False
    holding.release("a")
    assert got == []


def test_events_of_an_instance_are_held_in_order() -> None:
    """The others go on at once."""
    holding, got = make()
    holding.hold(["a", "b"])

    taken = [holding.take(event(n, name), 1) for n, name in ((1, "a"), (2, "c"), (3, "a"))]
    assert (bool(holding), taken, got) == (True, [True, False, True], [])
    assert [holding.has_events(name) for name in "abc"] == [True, False, False]
    holding.release("a")

    assert got == [1, 3]
    assert holding.take(event(4, "a"), 1) is False


def test_a_star_holds_every_instance() -> None:
    """A client of all instances knows no names before the history tells them."""
    holding, got = make()
    holding.hold([EVERY_INSTANCE, "b"])

    assert holding.take(event(1, "a"), 1)
    assert holding.take(event(2, "b"), 1)
    holding.release(EVERY_INSTANCE)
    assert got == [1]
    holding.release_all()

    assert (got, bool(holding)) == ([1, 2], False)


def test_holding_twice_keeps_what_is_held() -> None:
    """A second gap begins before the first one is filled."""
    holding, got = make()
    holding.hold(["a"])
    holding.take(event(1), 1)

    holding.hold(["a"])
    holding.release("a")

    assert got == [1]


def test_the_order_gives_way_before_the_memory_does() -> None:
    """Past the limit of bytes, what is held goes out, and what follows as well."""
    holding, got = make(max_bytes=25)
    holding.hold(["a"])

    for number in (1, 2, 3):
        if not holding.take(event(number), 10):
            got.append(number)

    assert (got, bool(holding)) == ([1, 2, 3], False)
    holding.hold(["a"])
    assert holding.take(event(4), 25) is True


def test_the_number_of_events_is_limited_as_well() -> None:
    """Small events take memory, too."""
    holding, got = make()
    holding.hold(["a"])

    taken = [holding.take(event(number), 0) for number in range(5001)]

    assert (taken[:5000], taken[5000]) == ([True] * 5000, False)
    assert got == list(range(5000))


def test_what_arrives_during_the_release_waits_behind_it() -> None:
    """The order holds while another thread delivers."""
    got: list[int] = []

    def deliver(released: Event, size: int) -> None:
        got.append(released.data)
        if released.data == 1:
            assert holding.take(event(3), 1)

    holding = Holding(deliver, 100)
    holding.hold(["a"])
    holding.take(event(1), 1)
    holding.take(event(2), 1)
    holding.release("a")

    assert (got, bool(holding)) == ([1, 2, 3], False)


def test_what_is_held_anew_during_a_release_stays() -> None:
    """A second gap began: its history has to come first."""
    got: list[int] = []

    def deliver(released: Event, size: int) -> None:
        got.append(released.data)
        if released.data == 1:
            holding.hold(["a"])
            holding.take(event(2), 1)

    holding = Holding(deliver, 100)
    holding.hold(["a"])
    holding.take(event(1), 1)
    holding.release("a")
    before = list(got)
    holding.release("a")

    assert (before, got) == ([1], [1, 2])


def test_after_a_fork_nothing_is_held() -> None:
    """What was held is the parent's."""
    holding, got = make(max_bytes=10)
    holding.hold(["a"])
    holding.take(event(1), 10)

    holding.after_fork()
    holding.release_all()
    holding.hold(["a"])

    assert (got, holding.take(event(2), 10)) == ([], True)
