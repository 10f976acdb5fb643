"""How many events a forwarder gives to Redis, each with the broker's confirmation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ..core_tools import ROOT
from .celery_tools import CEILING, RedisServer, Running


COUNT = 3_000

SOURCE = """
import sys, time
from evolution_ws.testing import FakeEvolutionServer
with FakeEvolutionServer(instances=("sales",), store=False) as server:
    print(server.url, flush=True)
    server.wait_for_client("sales")
    for number in range(int(sys.argv[1])):
        key = {"id": f"M{number}", "remoteJid": f"55119{number % 50:08d}@s.whatsapp.net"}
        message = {"conversation": "x" * 400}
        server.emit("messages.upsert", {"seq": number, "key": key, "message": message})
    time.sleep(60)
"""

FORWARDER = """
import json, sys, threading, time
from evolution_ws import Client
from evolution_ws.integrations.celery import Cluster, Forwarder
from tests.integrations.celery_app import app
url, redis_url, inbox, count = *sys.argv[1:4], int(sys.argv[4])
client = Client(url, "sales", backfill=False, durable=inbox, auto_ack=False)
forwarder = Forwarder(app, client, task="counting.count", cluster=Cluster(redis_url=redis_url))
threading.Thread(target=forwarder.run, daemon=True).start()
while not forwarder.stats.sent:
    time.sleep(0.001)
first, wall, cpu = forwarder.stats.sent, time.monotonic(), time.process_time()
while forwarder.stats.sent < count:
    time.sleep(0.005)
wall, cpu = time.monotonic() - wall, time.process_time() - cpu
print(json.dumps({"wall": (count - first) / wall, "cpu": (count - first) / cpu}))
forwarder.stop()
"""


def test_a_thousand_events_a_second(tmp_path: Path) -> None:
    """With a durable inbox and a cluster, one core is enough for a thousand events a second."""
    with (
        RedisServer(tmp_path) as store,
        Running(tmp_path / "source.log", "-c", SOURCE, str(COUNT)) as source,
    ):
        source.wait_for("http")
        arguments = [source.text.strip(), store.url(), str(tmp_path / "inbox.db"), str(COUNT)]

        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", FORWARDER, *arguments],
            cwd=ROOT,
            env={"TEST_BROKER": store.url(), "TEST_REDIS": store.url()},
            capture_output=True,
            text=True,
            timeout=CEILING,
            check=True,
        )

        assert store.client.llen("celery") == COUNT
    rates = json.loads(done.stdout)
    print(f"{rates['wall']:.0f} events/s, {rates['cpu']:.0f} per second of processor time")
    # Time of the clock depends on who else uses the machine.
    assert rates["cpu"] > 1_000
