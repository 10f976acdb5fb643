"""Where the time of an event goes, on the read thread and in the consumer."""

from __future__ import annotations

from tests.benchmarks.consuming import TEXT, fire
from tests.benchmarks.job import Job
from tests.benchmarks.measure import Bench
from tests.benchmarks.workers import Worker


BURSTS = 20


def run(bench: Bench) -> str:
    """
    Profile the delivery of 1 KB events in a process of its own.

    Returns:
        The cost of an event without the profiler, and the lines of code by the time that
        was spent on them, for each thread.
    """
    TEXT.prepare(bench)
    job = Job(
        peer="loop",
        kind="profile",
        url=bench.server.url,
        count=bench.scaled(TEXT.fast),
        warmup=TEXT.warmup,
        options={"bursts": BURSTS},
    )
    with Worker(job) as worker:
        worker.expect("connected")
        fire(bench, TEXT.of("warmup"))
        worker.expect("warm")
        fire(bench, TEXT.of("fast"))
        for _ in range(BURSTS):
            worker.expect("next")
            fire(bench, TEXT.of("fast"))
        result = worker.expect("result")
    return f"{result['cost']:.1f} µs CPU per event without the profiler\n\n{result['text']}"
