"""What is not CPU per event: latency, memory, start-up and emits."""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import Any

from tests.benchmarks.job import EVENT, Job
from tests.benchmarks.measure import Bench, Goal, Measure, Sample
from tests.benchmarks.workers import ROOT, Worker


RATE = 200
LIMIT_BYTES = 16 * 1024 * 1024
OFFERED_BYTES = 100_000_000
MEDIA_BYTES = 200_000
EMIT_THREADS = 8
GREETED = "greeted"
RECEIVE_TIMEOUT = 60.0


def percentile(values: list[float], share: float) -> float:
    """Return the value below which *share* of all values are."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def latency_sample(bench: Bench, *, peer: str) -> Sample:
    """Measure the time from the server's emit to the consumer, at a steady rate."""
    count = bench.scaled(1000)
    server = bench.server
    with Worker(Job(peer=peer, url=server.url, count=count, warmup=20)) as worker:
        worker.expect("connected")
        server.burst(20, instances=["bench"], rate=RATE)
        worker.expect("warm")
        server.burst(count, instances=["bench"], rate=RATE)
        times = [second * 1e3 for second in worker.expect("result")["latencies"]]
    return {"p50": percentile(times, 0.5), "p99": percentile(times, 0.99)}


def latency() -> Measure:
    """Return the latency at 200 events a second."""
    jobs = {"evolution_ws": "loop", "bare": "bare", "raw": "raw", "node": "node"}
    goals = [
        Goal(n, "evolution_ws", other, 1.0) for other in ("raw", "node") for n in ("p50", "p99")
    ]
    return Measure(
        "latency",
        f"latency at {RATE} events/s",
        "ms",
        "p50",
        {name: functools.partial(latency_sample, peer=peer) for name, peer in jobs.items()},
        tuple(goals),
        lambda bench: bench.server.create_namespace("bench"),
    )


def memory_sample(bench: Bench) -> Sample:
    """Offer 100 MB to a consumer that sleeps, and return the growth over the limit."""
    count = OFFERED_BYTES // MEDIA_BYTES
    options = {"client": {"queue_bytes": LIMIT_BYTES}}
    job = Job(
        peer="loop", kind="memory", url=bench.server.url, warmup=10, count=count, options=options
    )
    with Worker(job) as worker:
        worker.expect("connected")
        bench.server.fire("memory-warmup")
        worker.expect("warm")
        bench.server.fire("memory")
        result = worker.expect("result")
    return {
        "growth": result["growth"] / LIMIT_BYTES,
        "dropped": result["dropped"],
        "lost": count - result["seen"],
    }


def memory() -> Measure:
    """Return the growth of the process with a consumer that does not keep up."""

    def prepare(bench: Bench) -> None:
        shape: dict[str, Any] = {"instances": ["bench"], "kind": "media", "size": MEDIA_BYTES}
        bench.server.create_namespace("bench")
        bench.server.prepare("memory-warmup", 10, tag="warmup-", **shape)
        bench.server.prepare("memory", OFFERED_BYTES // MEDIA_BYTES, **shape)

    return Measure(
        "memory",
        "slow consumer, 100 MB offered",
        "x of the limit",
        "growth",
        {"evolution_ws": memory_sample},
        (Goal("growth", "evolution_ws", None, 1.3),),
        prepare,
    )


def import_sample(_: Bench, *, module: str) -> Sample:
    """Measure the CPU time of an import in a fresh interpreter."""
    code = (
        "import time; start = time.process_time(); "
        f"import {module}; print(time.process_time() - start)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {"cpu": float(done.stdout) * 1e3}


def imports() -> Measure:
    """Return the cost of the import."""
    modules = ("evolution_ws", "socketio")

    def prepare(bench: Bench) -> None:
        for module in modules:  # the first import of all writes the byte code
            import_sample(bench, module=module)

    return Measure(
        "import",
        "import",
        "ms CPU",
        "cpu",
        {name: functools.partial(import_sample, module=name) for name in modules},
        (Goal("cpu", "evolution_ws", "socketio", 1.1),),
        prepare,
    )


def first_event_sample(bench: Bench, *, peer: str) -> Sample:
    """Measure the time from a new client to its first event."""
    job = Job(
        peer=peer,
        kind="first_event",
        url=bench.server.url,
        count=bench.scaled(20),
        instances=(GREETED,),
    )
    with Worker(job) as worker:
        times = worker.expect("result")["times"]
    return {"time": percentile(times, 0.5) * 1e3}


def first_event() -> Measure:
    """Return the time to the first event, which the server sends upon the join."""
    jobs = {"evolution_ws": "loop", "raw": "raw", "simple": "simple", "bare": "bare"}

    def prepare(bench: Bench) -> None:
        bench.server.create_namespace(GREETED)
        bench.server.greet(EVENT, {"seq": 0}, instance=GREETED)

    return Measure(
        "first-event",
        "connect to first event",
        "ms",
        "time",
        {name: functools.partial(first_event_sample, peer=peer) for name, peer in jobs.items()},
        (Goal("time", "evolution_ws", "raw", 1.0),),
        prepare,
    )


def emit_sample(bench: Bench, *, peer: str) -> Sample:
    """Measure the rate at which the server receives emits of several threads."""
    count = bench.scaled(1000)
    total = count * EMIT_THREADS
    options = {"threads": EMIT_THREADS}
    job = Job(peer=peer, kind="emit", url=bench.server.url, count=count, options=options)
    with Worker(job) as worker:
        worker.expect("connected")
        bench.server.received()
        worker.go()
        worker.expect("result")
        bench.server.wait_until(lambda stats: stats["received"] >= total, RECEIVE_TIMEOUT)
        stats = bench.server.stats()
        bench.server.received()
    return {"rate": (total - 1) / (stats["lastAt"] - stats["firstAt"])}


def emits() -> Measure:
    """Return the rate of emits from eight threads."""
    jobs = {"evolution_ws": "loop", "raw": "raw", "simple": "simple"}
    return Measure(
        "emit",
        f"emit, {EMIT_THREADS} threads",
        "emits/s",
        "rate",
        {name: functools.partial(emit_sample, peer=peer) for name, peer in jobs.items()},
        (Goal("rate", "evolution_ws", "raw", 1.0, at_least=True),),
        lambda bench: bench.server.create_namespace("bench"),
    )
