"""The results as text: numbers of each client, and how they stand to the goals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.benchmarks.measure import Goal, Outcome


FAULTS = ("lost", "disordered", "corrupt")


def number(value: float) -> str:
    """Return a number with three significant digits and no exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def ratio(value: float) -> str:
    """Return a ratio; one far below 1 as a fraction, which is how the goals are written."""
    if 0 < value < 0.2:
        return f"1/{1 / value:.0f}"
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def faults(outcome: Outcome, variant: str) -> str:
    """Return what went wrong with a client's events over all rounds, if anything did."""
    found = [f"{outcome.total(variant, name):.0f} {name}" for name in FAULTS]
    return ", ".join(text for text in found if not text.startswith("0 "))


def goal_line(outcome: Outcome, goal: Goal) -> str:
    """Return one goal, what was reached, and whether that is enough."""
    value = outcome.ratio(goal)
    sign = "≥" if goal.at_least else "≤"
    versus = f" : {goal.other}" if goal.other else ""
    what = f"    {goal.ours}{versus} ({goal.number})"
    if value is None:
        return f"{what:58} {'-':>9}  goal {sign} {ratio(goal.limit):8} not measured"
    verdict = "ok" if goal.is_met(value) else "MISS"
    return f"{what:58} {ratio(value):>9}  goal {sign} {ratio(goal.limit):8} {verdict}"


def lines(outcome: Outcome) -> Iterator[str]:
    """Yield the lines of one measurement."""
    measure = outcome.measure
    yield f"{measure.title}  [{measure.unit}]"
    for variant in measure.variants:
        value = outcome.median(variant)
        shown = outcome.missing.get(variant, "-") if value is None else number(value)
        extra = [
            f"{name} {number(median)}"
            for name in ("p99", "threads")
            if (samples := outcome.samples.get(variant))
            and name in samples[0]
            and (median := outcome.median(variant, name)) is not None
            and any(goal.number == name for goal in measure.goals)
        ]
        note = ", ".join(filter(None, [*extra, faults(outcome, variant)]))
        yield f"  {variant:24} {shown:>10}  {note}".rstrip()
    for goal in measure.goals:
        yield goal_line(outcome, goal)


def render(outcomes: Iterable[Outcome]) -> str:
    """Return the whole table."""
    return "\n\n".join("\n".join(lines(outcome)) for outcome in outcomes)


def missed(outcomes: Iterable[Outcome]) -> list[Goal]:
    """Return the goals that were measured and not reached."""
    return [
        goal
        for outcome in outcomes
        for goal in outcome.measure.goals
        if (value := outcome.ratio(goal)) is not None and not goal.is_met(value)
    ]


def growth_lines(title: str, curves: dict[str, dict[int, float]]) -> Iterator[str]:
    """Yield a plot of growth as rows: one for each curve, one column for each place."""
    places = sorted({place for points in curves.values() for place in points})
    yield f"{title}  [µs CPU/event]"
    yield "  " + " " * 28 + "".join(f"{place:>10,}" for place in places)
    for label, points in curves.items():
        cells = (number(points[place]) if place in points else "-" for place in places)
        yield f"  {label:28}" + "".join(f"{cell:>10}" for cell in cells)
    yield ""
