"""
The process that is killed: it writes down each event and is then done with it.

Run as ``python -m tests.faults.victim URL INBOX RECORD INSTANCE…``; it ends in an orderly way
when its stdin does.
"""

from __future__ import annotations

import os
import sys
import threading

from evolution_ws import Backoff, Client
from tests.faults.ledger import got
from tests.faults.scale import short_times


def main(url: str, inbox: str, record: str, *instances: str) -> None:
    """Consume events of *instances* until stdin ends."""
    client = Client(
        url,
        instances,
        api_key="invented-key",
        durable=inbox,
        backoff=Backoff(initial=0.05, maximum=0.4),
        connect_timeout=1.5,
        proxy=None,
    )

    def close_with_stdin() -> None:
        sys.stdin.read()
        client.close(5)

    threading.Thread(target=close_with_stdin, daemon=True).start()
    out = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for event in client.events():
        it = got(event, 0.0)
        # One write: it is with the kernel, and outlives this process, or it never happened.
        fields = (it.instance, it.number, int(it.replayed), int(it.redelivered), os.getpid())
        os.write(out, ("\t".join(map(str, fields)) + "\n").encode())


if __name__ == "__main__":
    with short_times():
        main(*sys.argv[1:])
