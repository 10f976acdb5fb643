"""The check finds every way in which a delivery can be wrong."""

from __future__ import annotations

import pytest

from tests.faults.ledger import Got, Sent, problems


SENT = [Sent("a", number, 0.0) for number in range(3)]


def live(*numbers: int, replayed: tuple[int, ...] = ()) -> list[Got]:
    """Return deliveries in the given order."""
    return [Got("messages.upsert", "a", n, n in replayed, False, 0.0) for n in numbers]


@pytest.mark.parametrize(
    ("delivered", "words"),
    [
        pytest.param(live(0, 1, 2), [], id="perfect"),
        pytest.param(live(1, 0, 2, replayed=(1, 0)), [], id="replays-in-any-order"),
        pytest.param(live(0, 2), ["lost"], id="lost"),
        pytest.param(live(0, 1, 1, 2), ["twice", "twice"], id="twice"),
        pytest.param(live(0, 2, 1), ["out of order"], id="disorder"),
        pytest.param(live(0, 2, 1, replayed=(1,)), ["late replay"], id="late-replay"),
    ],
)
def test_problems(delivered: list[Got], words: list[str]) -> None:
    """Each fault has its name, and perfection has none."""
    found = problems(SENT, delivered, strict=True)

    assert words == [problem.split(":")[0] for problem in found]


def test_late_replays_are_forgiven() -> None:
    """A history that could not be had in time comes late, and that is no fault."""
    assert [] == problems(SENT, live(0, 2, 1, replayed=(1,)), strict=False)
