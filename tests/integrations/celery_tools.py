"""Real brokers, workers and forwarders for the tests of the Celery integration."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from ..core_tools import ROOT, free_port
from ..helpers import wait_until


CEILING = 30.0
"""Seconds after which a wait has failed; nothing comes near it on a sound machine."""

ROUNDS = int(os.environ.get("EVOLUTION_WS_TEST_ROUNDS", "3"))
"""Kills in the tests that kill at random; the long run has more of them, and more brokers."""


def require_redis() -> str:
    """Return the path of redis-server; skip the test where there is none."""
    found = shutil.which("redis-server")
    if found is None:
        reason = "redis-server is missing: apt-get install redis-server"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class RedisServer:
    """A Redis of its own, on a free port, that keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self._command = require_redis()
        self._folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.client: Any = redis.Redis(port=self.port, decode_responses=True)

    def url(self, database: int = 0) -> str:
        """Return the address of one of its databases."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        self._process = subprocess.Popen(
            [self._command, *arguments, "--dir", str(self._folder)], stdout=subprocess.DEVNULL
        )
        wait_until(self._answers, CEILING)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.stop()


class Running:
    """A Python process whose output goes to a file; FOLDER in *environ* is where it runs."""

    def __init__(self, log: Path, *argv: str, **environ: str) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, *argv],
                cwd=environ.pop("FOLDER", ROOT),
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environ},
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    @property
    def text(self) -> str:
        """What it has written."""
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str, timeout: float = CEILING) -> None:
        """Wait until it has written *text*."""
        deadline = time.monotonic() + timeout
        while text not in self.text:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.01)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """End it with SIGTERM, and return its exit code."""
        self.process.terminate()
        try:
            # A worker that is stopped in the moment in which a task ends may wait 30 s for itself:
            # billiard's child for its parent, which takes no more results.
            return self.process.wait(2 * CEILING)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(CEILING)
            raise AssertionError(self.text) from None

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()


def worker(log: Path, *argv: str, **environ: str) -> Running:
    """Start a worker of the tests' app and wait until it is ready."""
    started = Running(
        log,
        *("-W", "ignore", "-m", "celery", "--app", "tests.integrations.celery_app"),
        *("worker", "--loglevel", "INFO", "--without-gossip", "--without-mingle"),
        *(argv or ("--pool", "solo")),
        **environ,
    )
    try:
        started.wait_for(" ready.")
    except BaseException:
        started.__exit__(None, None, None)
        raise
    return started


FORWARDER = """
import logging, sys
from evolution_ws import Client
from evolution_ws.integrations.celery import Cluster, forward
from tests.integrations.celery_app import app
logging.basicConfig(level=logging.INFO, format="%(message)s")
url, redis_url, durable, shards, lease = sys.argv[1:6]
client = Client(url, None if int(shards) > 1 else "sales", backfill=False,
                durable=durable or None, auto_ack=False)
forward(app, client, task="counting.count",
        cluster=Cluster(redis_url=redis_url, shards=int(shards), lease=float(lease)))
"""


def forwarder(
    log: Path,
    server_url: str,
    redis_url: str,
    *,
    durable: Path | None = None,
    shards: int = 1,
    lease: float = 1.0,
) -> Running:
    """Start a forwarder of a cluster."""
    return Running(
        log,
        *("-W", "error", "-c", FORWARDER),
        *(server_url, redis_url, str(durable or ""), str(shards), str(lease)),
        TEST_BROKER=redis_url,
        TEST_REDIS=redis_url,
    )
