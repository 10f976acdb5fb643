"""A consumer that is killed loses nothing, and what comes again says so."""

from __future__ import annotations

import pytest

from tests.faults.crash import check, crash
from tests.faults.ledger import Got, Sent


SENT = [Sent("a", number, 0.0) for number in range(2)]


def row(number: int, process: int, *, redelivered: bool = False) -> Got:
    """Return a message that a process wrote down."""
    return Got("", "a", number, False, redelivered, float(process))


@pytest.mark.parametrize(
    ("delivered", "words"),
    [
        pytest.param([row(0, 1), row(1, 1)], [], id="perfect"),
        pytest.param([row(0, 1), row(0, 2, redelivered=True), row(1, 2)], [], id="again"),
        pytest.param([row(0, 1)], ["lost"], id="lost"),
        pytest.param([row(0, 1), row(0, 2), row(1, 2)], ["twice, and not marked"], id="twice"),
        pytest.param([row(1, 1), row(0, 1)], ["out of order"], id="disorder"),
    ],
)
def test_check(delivered: list[Got], words: list[str]) -> None:
    """Each fault has its name, and what is marked as delivered again is none."""
    assert words == [problem.split(":")[0] for problem in check(SENT, delivered)]


def test_a_process_that_is_killed() -> None:
    """Killed, stopped and started again, it processes everything that the server stored."""
    assert [] == crash(3).problems
