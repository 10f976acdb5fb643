"""
The consumer of a soak, in a process of its own: it counts, and reports once in a while.

Run as ``python -m tests.faults.soak_client URL TOTAL``; each line on stdout is a JSON object.
"""

from __future__ import annotations

import json
import sys

from evolution_ws import Backoff, Client
from tests.faults.leaks import client_threads, descriptors, resident
from tests.faults.ledger import got
from tests.faults.scale import short_times


_REPORT_EVERY = 1_000


def main(url: str, total: int) -> None:
    """Consume until each of *total* messages was there, and tell how it went."""
    seen = bytearray(total + 1)
    count = twice = 0
    client = Client(
        url,
        "sales",
        api_key="invented-key",
        backoff=Backoff(initial=0.05, maximum=0.2),
        proxy=None,
    ).connect(30)

    def report(**more: object) -> None:
        line = {"count": count, "twice": twice, "rss": resident(), **more}
        print(json.dumps(line), flush=True)

    report()
    for event in client.events("messages.upsert", timeout=60):
        number = got(event, 0.0).number
        twice += seen[number]
        count += not seen[number]
        seen[number] = 1
        if count % _REPORT_EVERY == 0 or count == total:
            report()
        if count == total:
            break
    stats = client.stats
    closed = client.close(5)
    report(
        missing=total - count,
        closed=closed,
        threads=client_threads(),
        sockets=[what for what in descriptors().values() if what.startswith("socket:")],
        dropped=stats.dropped,
        replayed=stats.replayed,
        reconnects=stats.reconnects,
    )


if __name__ == "__main__":
    with short_times():
        main(sys.argv[1], int(sys.argv[2]))
