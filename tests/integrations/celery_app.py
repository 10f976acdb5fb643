"""The app of the tests: its tasks count, in Redis, what they handle."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import redis
from celery import Celery

from evolution_ws import Client
from evolution_ws.integrations.celery import EventTask, ForwarderStep, get_client


app = Celery("counting", broker=os.environ["TEST_BROKER"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    evolution_url=os.environ.get("TEST_SERVER"),
    evolution_instance="sales",
    evolution_redis_url=os.environ.get("TEST_REDIS"),
    evolution_options={"backfill": False},
)
if "TEST_STEP" in os.environ:
    app.conf.evolution_forward = {"task": "counting.count", "durable": os.environ["TEST_STEP"]}
    app.steps["worker"].add(ForwarderStep)
# As people do who have not read where to connect.
hasty = None
if "TEST_HASTE" in os.environ:
    hasty = Client(os.environ["TEST_SERVER"], "sales", backfill=False).connect()


def memory() -> Any:
    """Return the Redis in which the tasks count."""
    return redis.Redis.from_url(os.environ["TEST_REDIS"], decode_responses=True)


@app.task(name="counting.count", base=EventTask)  # type: ignore[untyped-decorator] # Celery ships no types
def count(event: dict[str, Any]) -> None:
    """Count an event, in all and by itself."""
    with memory() as known:
        known.hincrby("handled", event["id"], 1)
        known.rpush("order", str(event["data"].get("seq")))


@app.task(name="counting.emit")  # type: ignore[untyped-decorator] # Celery ships no types
def emit(number: int) -> int:
    """Emit through the client of the process; return the process's id."""
    get_client().emit("sendNode", {"number": number}, namespace="/")
    return os.getpid()


@app.task(name="counting.hasty")  # type: ignore[untyped-decorator] # Celery ships no types
def emit_hastily() -> None:
    """Emit through the client that was connected before the process of the task was forked."""
    assert hasty is not None
    hasty.emit("sendNode", {"number": 1}, namespace="/")


@app.task(name="counting.slow", soft_time_limit=1)  # type: ignore[untyped-decorator] # Celery ships no types
def slow() -> str:
    """Wait in the client for what never comes, until the soft time limit strikes."""
    from celery.exceptions import SoftTimeLimitExceeded

    client = get_client()
    try:
        client.call("sendNode", {"number": 0}, namespace="/", timeout=30)
    except SoftTimeLimitExceeded:
        client.emit("sendNode", {"number": 99}, namespace="/")
        return "limited"
    return f"not limited at {time.time()}"


@app.task(name="counting.slow_close", soft_time_limit=1)  # type: ignore[untyped-decorator] # Celery ships no types
def slow_close() -> str:
    """Close a client whose callback does not return, until the soft time limit strikes."""
    from celery.exceptions import SoftTimeLimitExceeded

    release = threading.Event()
    client = Client(os.environ["TEST_SERVER"], "sales", backfill=False)
    client.on("connect", callback=lambda: release.wait())
    client.connect()
    try:
        client.close(30)
    except SoftTimeLimitExceeded:
        before = client.close(0)
        release.set()
        return f"limited, closed: {before}, {client.close(20)}"
    return f"not limited at {time.time()}"
