"""The rounds of all clients, interleaved."""

from __future__ import annotations

from collections.abc import Iterable

from tests.benchmarks import consuming, living
from tests.benchmarks.measure import Bench, Measure, Outcome
from tests.benchmarks.progress import progress
from tests.benchmarks.workers import Unavailable


def measures() -> tuple[Measure, ...]:
    """Return all measurements, in the order of the table."""
    return (
        *consuming.delivery(),
        consuming.unwanted(1_000, 8000, 1 / 3),
        consuming.unwanted(200_000, 250, 1 / 5),
        consuming.busy_process(),
        consuming.many_instances(),
        living.latency(),
        living.memory(),
        living.imports(),
        living.first_event(),
        living.emits(),
    )


def chosen(only: Iterable[str]) -> list[Measure]:
    """Return the measurements whose names start with one of *only*; all if it is empty."""
    prefixes = tuple(only)
    return [one for one in measures() if not prefixes or one.name.startswith(prefixes)]


def run(measure: Measure, bench: Bench, rounds: int) -> Outcome:
    """Measure every client once a round; a client that is not installed is left out."""
    outcome = Outcome(measure)
    measure.prepare(bench)
    for number in range(rounds):
        # Each round starts with another client: nobody is always the first after a pause.
        names = list(measure.variants)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            if name not in outcome.missing:
                _sample(outcome, name, bench)
        progress(f"{measure.name}: round {number + 1} of {rounds}")
    return outcome


def _sample(outcome: Outcome, name: str, bench: Bench) -> None:
    try:
        outcome.add(name, outcome.measure.variants[name](bench))
    except Unavailable as exc:
        outcome.missing[name] = str(exc)
