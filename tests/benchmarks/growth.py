"""How the cost grows with the size of events and the number of instances and consumers."""

from __future__ import annotations

import contextlib
import functools
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.consuming import NOBODY_WANTS, Burst, consume
from tests.benchmarks.job import EVENT
from tests.benchmarks.measure import Bench, Sample
from tests.benchmarks.progress import progress
from tests.benchmarks.workers import Unavailable


SIZES = (200, 1_000, 5_000, 20_000, 100_000, 500_000, 2_000_000, 5_000_000)
RAW_SIZES = SIZES[:5]  # raw socketio takes a second for one event of 5 MB
COUNTS = (1, 2, 5, 10, 20, 50, 100)
INSTANCES = (1, 5, 20, 50, 100, 250, 500)
BYTES_A_POINT = 20_000_000
MOST_EVENTS = 8000
FEWEST_EVENTS = 10
EVENTS_PER_CONSUMER_TEST = 3000


@dataclass(frozen=True)
class Curve:
    """
    A line in a plot.

    Attributes:
        label: Its name.
        points: Makes the sample of each point, by its place on the x axis.
    """

    label: str
    points: Mapping[int, Callable[[Bench], Sample]]


@dataclass(frozen=True)
class Growth:
    """
    A plot: the cost of an event against one thing that grows.

    Attributes:
        name: Short name for ``--only``.
        title: Above the plot.
        axis: What grows.
        number: The number that is drawn.
        curves: The lines.
    """

    name: str
    title: str
    axis: str
    number: str
    curves: tuple[Curve, ...]


def prepared(burst: Burst, bench: Bench, **job: Any) -> Sample:
    """Prepare a burst, send it to one client and let the server forget it."""
    burst.prepare(bench)
    try:
        return consume(burst, bench, **job)
    finally:
        for part in ("warmup", "fast", "slow"):
            bench.server.command("forget", name=burst.of(part))


def sized(size: int) -> Burst:
    """Return a burst of events of *size* bytes whose total is bounded."""
    count = min(MOST_EVENTS, max(FEWEST_EVENTS, BYTES_A_POINT // size))
    kind = "text" if size < 10_000 else "media"
    slow = min(500, max(FEWEST_EVENTS, 1_000_000 // size))
    return Burst("sized", count, slow, kind=kind, size=size, warmup=5)


def by_size() -> Growth:
    """Return the cost of an event against its size."""

    def curve(label: str, peer: str, sizes: Iterable[int]) -> Curve:
        points = {size: functools.partial(prepared, sized(size), peer=peer) for size in sizes}
        return Curve(label, points)

    curves = (
        curve("evolution_ws", "loop", SIZES),
        curve("bare websockets + orjson", "bare", SIZES),
        curve("socket.io-client (Node)", "node", SIZES),
        curve("raw socketio.Client", "raw", RAW_SIZES),
    )
    return Growth("size", "Size of an event", "bytes", "cpu", curves)


def by_instances() -> Growth:
    """Return the cost of an event against the instances on one connection."""

    def burst(count: int) -> Burst:
        names = tuple(f"i{number}" for number in range(count))
        return Burst("instances", EVENTS_PER_CONSUMER_TEST, 500, instances=names)

    def curve(label: str, peer: str) -> Curve:
        return Curve(
            label,
            {count: functools.partial(prepared, burst(count), peer=peer) for count in INSTANCES},
        )

    curves = (curve("evolution_ws", "loop"), curve("raw socketio.Client", "raw"))
    return Growth("instances", "Instances on one connection", "instances", "cpu", curves)


def by_consumers() -> Growth:
    """Return the cost of an event against subscriptions and callbacks."""
    burst = Burst("consumers", EVENTS_PER_CONSUMER_TEST, 500)

    def curve(label: str, peer: str, extra_type: str) -> Curve:
        points = {}
        for count in COUNTS:
            options = {"extra": count - 1, "extra_type": extra_type}
            points[count] = functools.partial(prepared, burst, peer=peer, options=options)
        return Curve(label, points)

    curves = (
        curve("callbacks for this type", "callback", EVENT),
        curve("callbacks for other types", "callback", NOBODY_WANTS),
        curve("subscriptions to this type", "subscription", EVENT),
        curve("subscriptions to other types", "subscription", NOBODY_WANTS),
    )
    return Growth("consumers", "Subscriptions and callbacks", "consumers", "cpu", curves)


def growths() -> tuple[Growth, ...]:
    """Return all plots of growth."""
    return by_size(), by_instances(), by_consumers()


def run(growth: Growth, bench: Bench) -> dict[str, dict[int, float]]:
    """Measure every point of a plot once; curves take turns at each place on the axis."""
    drawn: dict[str, dict[int, float]] = {curve.label: {} for curve in growth.curves}
    for place in sorted({place for curve in growth.curves for place in curve.points}):
        for curve in growth.curves:
            if place in curve.points:
                with contextlib.suppress(Unavailable):
                    drawn[curve.label][place] = curve.points[place](bench)[growth.number]
        progress(f"{growth.name}: {place}")
    return drawn


def median_of(rounds: list[dict[str, dict[int, float]]]) -> dict[str, dict[int, float]]:
    """Return the median of each point over several rounds."""
    return {
        label: {
            place: statistics.median(one[label][place] for one in rounds)
            for place in rounds[0][label]
        }
        for label in rounds[0]
    }
