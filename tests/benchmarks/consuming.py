"""CPU time per event, from the socket to the consumer's loop."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.job import EVENT, Job
from tests.benchmarks.measure import Bench, Goal, Measure, Sample
from tests.benchmarks.workers import Worker


MARKER = "marker"  # one event that ends a burst of events that nobody gets
SLOW = ("raw", "simple", "official")
NOBODY_WANTS = "presence.update"


@dataclass(frozen=True)
class Burst:
    """The events of a measurement; the stock clients get fewer, or they take minutes."""

    name: str
    fast: int
    slow: int
    kind: str = "text"
    size: int = 1000
    attachments: int = 0
    event: str = EVENT
    instances: tuple[str, ...] = ("bench",)
    warmup: int = 50

    def of(self, part: str) -> str:
        """Return the name of a part on the server."""
        return f"{self.name}-{part}"

    def prepare(self, bench: Bench) -> None:
        """Let the server encode all parts."""
        bench.server.create_namespace(*self.instances)
        shape: dict[str, Any] = {"kind": self.kind, "size": self.size}
        shape |= {"attachments": self.attachments, "instances": self.instances}
        self._part(bench, "warmup", self.warmup, **shape)
        for part, count in (("fast", self.fast), ("slow", self.slow)):
            self._part(bench, part, bench.scaled(count), **{**shape, "event": self.event})

    def _part(self, bench: Bench, part: str, count: int, **shape: Any) -> None:
        bench.server.prepare(self.of(part), count, tag=f"{part}-", **shape)


def consume(burst: Burst, bench: Bench, *, peer: str, **fields: Any) -> Sample:
    """Send a burst to one client in a fresh process, and return what it cost."""
    part = "slow" if peer in SLOW else "fast"
    offered = bench.scaled(burst.slow if part == "slow" else burst.fast)
    fields = {"count": offered, "instances": burst.instances, **fields}
    job = Job(
        peer=peer,
        url=bench.server.url,
        warmup=burst.warmup,
        attachments=burst.attachments,
        **fields,
    )
    with Worker(job) as worker:
        worker.expect("connected")
        fire(bench, burst.of("warmup"))
        worker.expect("warm")
        fire(bench, burst.of(part))
        if job.count != offered:
            fire(bench, MARKER)
        return to_sample(worker.expect("result"), offered, job.count)


def fire(bench: Bench, name: str) -> None:
    """Send a prepared burst and make sure that somebody listens."""
    receivers = bench.server.fire(name)
    if receivers != 1:
        raise RuntimeError(f"{receivers} clients in the namespace instead of 1")


def to_sample(result: dict[str, Any], offered: int, expected: int) -> Sample:
    """Turn a worker's counts into numbers per event."""
    return {
        "cpu": result["cpu"] / offered * 1e6,
        "rate": result["seen"] / result["wall"],
        "lost": expected - result["seen"],
        "disordered": result["disordered"],
        "corrupt": result["corrupt"],
        "threads": result["threads"],
    }


def variants(burst: Burst, **jobs: dict[str, Any]) -> dict[str, Callable[[Bench], Sample]]:
    """Return the variants of a measurement, from the fields of their jobs."""
    return {name: functools.partial(consume, burst, **job) for name, job in jobs.items()}


EVERYBODY: dict[str, dict[str, Any]] = {
    "evolution_ws": {"peer": "loop"},
    "bare": {"peer": "bare"},
    "node": {"peer": "node"},
    "raw": {"peer": "raw"},
    "simple": {"peer": "simple"},
    "official": {"peer": "official"},
}
NO_ORJSON: dict[str, dict[str, Any]] = {"without orjson": {"peer": "loop", "orjson": False}}

TEXT = Burst("text", 8000, 1000)
MEDIA = Burst("media", 250, 15, kind="media", size=200_000, warmup=10)
BINARY = Burst("binary", 4000, 800, kind="binary", attachments=3)
# A video with its media keys: python-socketio handles header and attachments on threads of their
# own, and the more a header takes the likelier they meet in the wrong order.
VIDEO = Burst("video", 8, 4, kind="binary", size=8_000_000, attachments=3, warmup=2)
VIDEO_IDLE = 6.0


def delivery() -> Iterable[Measure]:
    """Yield the measurements of delivered events."""
    ours = "evolution_ws"
    yield Measure(
        "text",
        "1 KB text",
        "µs CPU/event",
        "cpu",
        variants(
            TEXT,
            **EVERYBODY,
            **NO_ORJSON,
            callback={"peer": "callback"},
            durable={"peer": "durable"},
        ),
        (
            Goal("cpu", ours, "raw", 1 / 28),
            Goal("cpu", ours, "bare", 1.3),
            Goal("cpu", "without orjson", "raw", 1 / 18),
            Goal("cpu", "callback", ours, 1.3),
            Goal("cpu", "durable", ours, 3),
            Goal("rate", "durable", ours, 1 / 3, at_least=True),
        ),
        TEXT.prepare,
    )
    yield Measure(
        "media",
        "200 KB media",
        "µs CPU/event",
        "cpu",
        variants(MEDIA, **EVERYBODY, **NO_ORJSON),
        (Goal("cpu", ours, "raw", 1 / 130), Goal("cpu", ours, "bare", 0.9)),
        MEDIA.prepare,
    )
    yield Measure(
        "binary",
        "1 KB + 3 attachments",
        "µs CPU/event",
        "cpu",
        variants(BINARY, **EVERYBODY),
        (Goal("cpu", ours, "raw", 1 / 20),),
        BINARY.prepare,
    )
    video = {
        name: {**EVERYBODY[name], "idle": VIDEO_IDLE}
        for name in ("evolution_ws", "bare", "node", "raw")
    }
    yield Measure(
        "video",
        "8 MB + 3 attachments",
        "µs CPU/event",
        "cpu",
        variants(VIDEO, **video),
        (Goal("lost", ours, None, 0), Goal("corrupt", ours, None, 0)),
        VIDEO.prepare,
    )


def unwanted(size: int, count: int, limit: float) -> Measure:
    """Return the measurement of events that no consumer asked for, by type and by instance."""
    name = f"unwanted-{size // 1000}k"
    kind = "text" if size < 10_000 else "media"
    by_type = Burst(name, count, 10, kind=kind, size=size, event=NOBODY_WANTS, warmup=10)
    delivered = Burst(f"{name}-wanted", count, 10, kind=kind, size=size, warmup=10)
    by_instance: dict[str, Any] = {"instance": "quiet", "quiet": ["quiet"]}

    def prepare(bench: Bench) -> None:
        bench.server.create_namespace("quiet")
        by_type.prepare(bench)
        delivered.prepare(bench)
        bench.server.prepare(MARKER, 1, instances=["bench"], tag="marker-")

    return Measure(
        name,
        f"{size // 1000} KB that nobody wants",
        "µs CPU/event",
        "cpu",
        {
            "delivered": functools.partial(consume, delivered, peer="subscription"),
            "other type": functools.partial(consume, by_type, peer="subscription", count=1),
            "other instance": functools.partial(
                consume_quiet, delivered, peer="subscription", options=by_instance
            ),
        },
        (
            Goal("cpu", "other type", "delivered", limit),
            Goal("cpu", "other instance", "delivered", limit),
        ),
        prepare,
    )


def consume_quiet(burst: Burst, bench: Bench, **fields: Any) -> Sample:
    """Send a burst of one instance to a client that wants another one's events."""
    offered = bench.scaled(burst.fast)
    quiet = bench.server
    quiet.prepare("quiet", 1, instances=["quiet"], tag="quiet-")
    job = Job(url=quiet.url, warmup=1, count=1, **fields)
    with Worker(job) as worker:
        worker.expect("connected")
        fire(bench, "quiet")
        worker.expect("warm")
        fire(bench, burst.of("fast"))
        fire(bench, "quiet")
        return to_sample(worker.expect("result"), offered, 1)


def many_instances() -> Measure:
    """Return the comparison of one instance and a hundred on one connection."""
    names = tuple(f"i{number}" for number in range(100))
    one = Burst("one", 8000, 500)
    many = Burst("many", 8000, 500, instances=names)

    def prepare(bench: Bench) -> None:
        one.prepare(bench)
        many.prepare(bench)

    return Measure(
        "instances",
        "1 KB text, 100 instances",
        "µs CPU/event",
        "cpu",
        {
            "evolution_ws, 1": functools.partial(consume, one, peer="loop"),
            "evolution_ws, 100": functools.partial(consume, many, peer="loop"),
            "raw, 100": functools.partial(consume, many, peer="raw"),
        },
        (
            Goal("cpu", "evolution_ws, 100", "evolution_ws, 1", 1.1),
            Goal("threads", "evolution_ws, 100", "evolution_ws, 1", 1.0),
        ),
        prepare,
    )


def busy_process() -> Measure:
    """Return the throughput beside one CPU-bound thread in the same process."""
    burst = Burst("busy", 8000, 100)
    jobs = {name: {**EVERYBODY[name], "hogs": 1} for name in ("evolution_ws", "bare", "raw")}
    return Measure(
        "busy",
        "beside a CPU-bound thread",
        "events/s",
        "rate",
        variants(burst, **jobs),
        (
            Goal("rate", "evolution_ws", "raw", 100, at_least=True),
            Goal("rate", "evolution_ws", "bare", 1, at_least=True),
        ),
        burst.prepare,
    )
