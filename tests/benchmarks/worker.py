"""A client in a process of its own: ``python -m tests.benchmarks.worker JOB``."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from tests.benchmarks.job import Job, Tally
from tests.benchmarks.peers import (
    BarePeer,
    OfficialPeer,
    Peer,
    PeerMissing,
    RawPeer,
    SimplePeer,
    optional,
)
from tests.benchmarks.sampling import Sampler


PEERS: dict[str, type[Peer]] = {
    "raw": RawPeer,
    "simple": SimplePeer,
    "official": OfficialPeer,
    "bare": BarePeer,
}
OURS = {
    "loop": "LoopPeer",
    "durable": "DurablePeer",
    "subscription": "SubscriptionPeer",
    "callback": "CallbackPeer",
}
SAMPLE_INTERVAL = 0.005


def say(word: str, **more: Any) -> None:
    """Tell the benchmark's main process how far this one is."""
    print(json.dumps({"say": word, **more}), flush=True)


def make_peer(job: Job) -> Peer:
    """Make the client of a job; a missing package ends the process with a word about it."""
    if not job.orjson:
        sys.modules["orjson"] = None  # type: ignore[assignment]  # an import of it fails from now on
    try:
        kind = PEERS.get(job.peer) or getattr(optional("tests.benchmarks.ours"), OURS[job.peer])
        peer: Peer = kind(job)
    except PeerMissing as exc:
        say("missing", reason=str(exc))
        raise SystemExit(0) from None
    return peer


def start_hogs(count: int) -> threading.Event:
    """Start threads that compute until the returned event is set."""
    stop = threading.Event()

    def compute() -> None:
        number = 0
        while not stop.is_set():
            for _ in range(1000):
                number = (number * 1103515245 + 12345) % 2147483648

    for _ in range(count):
        threading.Thread(target=compute, daemon=True).start()
    return stop


def consume(job: Job) -> None:
    """Measure CPU time and time of *count* events, from before the first to the last."""
    peer = make_peer(job)
    peer.connect()
    say("connected")
    peer.take(job.warmup, Tally(job.attachments), job.idle)
    tally = Tally(job.attachments)
    stop = start_hogs(job.hogs)
    say("warm")
    start, cpu = time.perf_counter(), time.process_time()
    peer.take(job.count, tally, job.idle)
    cpu = time.process_time() - cpu
    wall = time.perf_counter() - start
    stop.set()
    say("result", result={**vars(tally), "cpu": cpu, "wall": wall, "threads": threads()})
    wait_for_the_end(peer)


def threads() -> int:
    """Return how many threads there are."""
    return threading.active_count()


def wait_for_the_end(peer: Peer) -> None:
    """Keep the connection until the main process has seen enough."""
    sys.stdin.read()
    peer.close()


def memory(job: Job) -> None:
    """Measure how far a burst makes the process grow while the consumer sleeps."""
    peer: Any = make_peer(job)
    peer.connect()
    say("connected")
    peer.take(job.warmup, Tally(), job.idle)
    process = optional("psutil").Process()
    before = peak = process.memory_info().rss
    seen = peer.client.stats.received
    say("warm")
    deadline = time.monotonic() + 60
    while peer.client.stats.received < seen + job.count and time.monotonic() < deadline:
        peak = max(peak, process.memory_info().rss)
        time.sleep(SAMPLE_INTERVAL)
    peak = max(peak, process.memory_info().rss)
    stats = peer.client.stats
    say(
        "result",
        result={"growth": peak - before, "dropped": stats.dropped, "seen": stats.received - seen},
    )
    wait_for_the_end(peer)


def profile(job: Job) -> None:
    """Measure a burst without, and the next ones with, a sampling profiler beside it."""
    peer = make_peer(job)
    peer.connect()
    say("connected")
    peer.take(job.warmup, Tally(), job.idle)
    say("warm")
    cpu = time.process_time()
    peer.take(job.count, Tally(), job.idle)
    cost = (time.process_time() - cpu) / job.count * 1e6
    with Sampler() as sampler:
        for _ in range(job.options["bursts"]):
            say("next")
            peer.take(job.count, Tally(), job.idle)
    say("result", result={"text": sampler.text(), "cost": cost})
    wait_for_the_end(peer)


def first_event(job: Job) -> None:
    """Measure the time from a new client to its first event, several times."""
    make_peer(job)  # the imports are not part of it
    times = []
    for _ in range(job.count):
        start = time.perf_counter()
        peer = make_peer(job)
        peer.connect()
        peer.take(1, Tally(), job.idle)
        times.append(time.perf_counter() - start)
        peer.close()
    say("result", result={"times": times})


def emit(job: Job) -> None:
    """Emit from several threads at once, as fast as it goes."""
    peer = make_peer(job)
    peer.connect()
    say("connected")
    sys.stdin.readline()

    def work(thread: int) -> None:
        for number in range(job.count):
            peer.emit("sendNode", {"thread": thread, "number": number})

    workers = [
        threading.Thread(target=work, args=(index,)) for index in range(job.options["threads"])
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    say("result", result={})
    wait_for_the_end(peer)


KINDS = {
    "consume": consume,
    "memory": memory,
    "profile": profile,
    "first_event": first_event,
    "emit": emit,
}


def main() -> None:
    """Do the job that is given in JSON."""
    job = Job.from_json(sys.argv[1])
    KINDS[job.kind](job)


if __name__ == "__main__":
    main()
