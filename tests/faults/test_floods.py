"""A producer a hundred times faster than the consumer: memory stays at the bound."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import make_client
from tests.faults.scripts import script
from tests.helpers import in_thread, wait_until


# What the consumer's process does: it takes an event in the time in which a hundred arrive, and
# looks at its own memory once the bound is reached and again when the flood is over.
CONSUMER = """
import json, sys, time
import psutil
from evolution_ws import Client, Overflow, QueueOverflow
url, policy, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = Client(url, "sales", backfill=False, overflow=policy, put_timeout=0.2, **options).connect()
process = psutil.Process()
start = process.memory_info().rss
client.emit("ready", namespace="/")
got, overflowed, full, rss_when_full, most = [], 0, False, 0, 0
while True:
    try:
        event = client.get(20)
    except QueueOverflow:
        overflowed += 1
        continue
    if event.type == "presence.update":
        break
    got.append(event.data["seq"])
    time.sleep(0.005)
    stats = client.stats
    # One more is the mark of those that are missing, for the policy that raises.
    assert stats.queue_events <= options["queue_size"] + 1, stats
    assert stats.queue_bytes <= options.get("queue_bytes", 1 << 60) or stats.queue_events == 1
    if stats.dropped and not full:
        full, rss_when_full = True, process.memory_info().rss
    most = max(most, process.memory_info().rss)
stats = client.stats
client.close()
print(json.dumps({
    "ordered": got == sorted(got), "got": len(got), "last": got[-1], "dropped": stats.dropped,
    "overflowed": overflowed, "start": start, "full": rss_when_full, "most": most,
    "reconnects": stats.reconnects,
}))
"""

SMALL = {"queue_size": 200}
BY_BYTES = {"queue_size": 10_000, "queue_bytes": 8_000_000}


@pytest.fixture
def flooded() -> Iterator[FakeEvolutionServer]:
    """Return a server with a short ping, so that a thread that stands still is found out."""
    with FakeEvolutionServer(
        instances=("sales",), ping_interval=0.5, ping_timeout=5.0, store=False
    ) as server:
        yield server


def flood(
    server: FakeEvolutionServer, count: int, size: int, policy: str, **options: int
) -> dict[str, Any]:
    """Send *count* events of *size* bytes and an end, and return what the consumer reports."""
    filler = "x" * size

    def produce() -> None:
        server.wait_for_emit(1, timeout=30)
        for seq in range(count):
            server.emit("messages.upsert", {"seq": seq, "text": filler})
        # With DROP_NEWEST and RAISE a full queue takes no end: it is told again and again.
        while not done.wait(0.05):
            server.emit("presence.update", {})

    done = threading.Event()
    thread = threading.Thread(target=produce)
    thread.start()
    try:
        said = script(CONSUMER, server.url, policy, json.dumps(options))
    finally:
        done.set()
        thread.join()
    report: dict[str, Any] = json.loads(said)
    return report


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "raise"])
def test_a_flood(flooded: FakeEvolutionServer, policy: str) -> None:
    """Each policy keeps its bound and the order, counts what it drops, and keeps connected."""
    count = 20_000
    report = flood(flooded, count, 1_000, policy, **SMALL)

    assert report["ordered"]
    assert report["reconnects"] == 0
    assert 0 < report["dropped"]
    assert count <= report["got"] + report["dropped"]
    assert (policy == "raise") is (report["overflowed"] > 0)
    if policy == "drop_oldest":
        assert report["last"] == count - 1
    # Twenty megabytes went by; two hundred events of them may stay.
    assert report["most"] < report["start"] * 1.2


def test_a_burst_that_blocks(flooded: FakeEvolutionServer) -> None:
    """With BLOCK a burst is slowed down to the consumer's pace, and nothing is dropped."""
    report = flood(flooded, 600, 1_000, "block", queue_size=50)

    assert (True, 600, 0, 0) == tuple(
        report[name] for name in ("ordered", "got", "dropped", "reconnects")
    )


def test_a_flood_of_large_events(flooded: FakeEvolutionServer) -> None:
    """The limit in bytes holds the memory where a limit in events would not."""
    report = flood(flooded, 300, 1_000_000, "drop_oldest", **BY_BYTES)

    assert report["ordered"]
    assert report["reconnects"] == 0
    assert 0 < report["dropped"]
    assert report["last"] == 299
    # 300 MB went by, 8 MB may wait, and a few are on their way.
    assert report["most"] - report["start"] < 40_000_000


def test_very_large_events_do_not_hold_the_pings_up() -> None:
    """A hundred megabytes are read so fast that a server with little patience gets its answers."""
    with FakeEvolutionServer(
        instances=("sales",), ping_interval=0.3, ping_timeout=0.3, store=False
    ) as impatient:
        report = flood(impatient, 20, 5_000_000, "drop_oldest", queue_size=100, queue_bytes=10**9)

    assert (True, 20, 0, 0) == tuple(
        report[name] for name in ("ordered", "got", "dropped", "reconnects")
    )


# The peak that the kernel has seen, of this program alone: getrusage() also counts the parent's.
HUGE = """
import sys
from evolution_ws import Client

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

size = int(sys.argv[2])
with Client(sys.argv[1], "sales", backfill=False, max_event_bytes=2 * size) as client:
    before = peak()
    client.emit("ready", namespace="/")
    assert len(client.get(20).data["text"]) == size
print((peak() - before) / size)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_peak_of_a_huge_event(server: FakeEvolutionServer) -> None:
    """Fifty megabytes are in memory as bytes, as text and as the event's data, and not more."""
    size = 50_000_000

    def produce() -> None:
        server.wait_for_emit(1, timeout=30)
        server.emit("messages.upsert", {"text": "x" * size}, store=False)

    producing = in_thread(produce)
    times = float(script(HUGE, server.url, str(size)))
    producing.result()

    assert times < 4.5


def test_blocking_holds_the_connection_back_for_a_limited_time(
    flooded: FakeEvolutionServer,
) -> None:
    """A consumer that takes nothing stops the reader for put_timeout, not for ever."""
    with make_client(flooded.url, overflow="block", put_timeout=0.1, queue_size=2) as client:
        begin = time.monotonic()
        for seq in range(8):
            flooded.emit("messages.upsert", {"seq": seq})
        wait_until(lambda: client.stats.dropped == 6)

        assert time.monotonic() - begin >= 0.6
        assert [6, 7] == [client.get(0).data["seq"] for _ in range(2)]
        assert client.is_connected
