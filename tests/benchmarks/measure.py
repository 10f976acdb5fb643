"""What a measurement is: clients that take part, numbers that come out, goals to reach."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.node_server import NodeServer


Sample = dict[str, float]
"""The numbers of one client in one round, by name."""


@dataclass(frozen=True)
class Goal:
    """
    A limit for one number of ours, as a ratio to the same number of another client.

    With *other* None the number itself is compared.
    """

    number: str
    ours: str
    other: str | None
    limit: float
    at_least: bool = False

    def is_met(self, ratio: float) -> bool:
        """Tell whether *ratio* is within the limit."""
        return ratio >= self.limit if self.at_least else ratio <= self.limit


@dataclass(frozen=True)
class Bench:
    """What every measurement gets: the server, and how much time there is."""

    server: NodeServer
    quick: bool = False

    def scaled(self, count: int) -> int:
        """Return how many events to take instead of *count*."""
        return max(min(count, 10), count // 4) if self.quick else count


@dataclass(frozen=True)
class Measure:
    """
    One row of work, measured for several clients.

    Attributes:
        name: Short name for ``--only``.
        title: For the table.
        unit: Unit of the first number.
        number: Name of the number that the table shows.
        variants: Makes one sample of each client, by the client's name.
        goals: What is to be reached.
        prepare: Called once, before the first round.
    """

    name: str
    title: str
    unit: str
    number: str
    variants: dict[str, Callable[[Bench], Sample]]
    goals: tuple[Goal, ...] = ()
    prepare: Callable[[Bench], None] = lambda bench: None


@dataclass
class Outcome:
    """All samples of one measurement."""

    measure: Measure
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, variant: str, sample: Sample) -> None:
        """Keep one sample."""
        self.samples.setdefault(variant, []).append(sample)

    def median(self, variant: str, number: str | None = None) -> float | None:
        """Return the median of a number over the rounds; None if it was not measured."""
        samples = self.samples.get(variant)
        if not samples:
            return None
        return statistics.median(sample[number or self.measure.number] for sample in samples)

    def total(self, variant: str, number: str) -> float:
        """Return the sum of a number over the rounds."""
        return sum(sample.get(number, 0.0) for sample in self.samples.get(variant, ()))

    def ratio(self, goal: Goal) -> float | None:
        """Return what a goal is about; None if a client was not measured."""
        ours = self.median(goal.ours, goal.number)
        if goal.other is None or ours is None:
            return ours
        other = self.median(goal.other, goal.number)
        return None if other is None else ours / max(other, 1e-9)
