"""Several forwarders as processes that are killed and frozen, and workers that count."""

from __future__ import annotations

import json
import random
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from evolution_ws.testing import FakeEvolutionServer

from ..helpers import wait_until
from .celery_tools import CEILING, ROUNDS, RedisServer, Running, forwarder, worker


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a Redis."""
    with RedisServer(tmp_path) as started:
        yield started


class Source:
    """Emits numbered messages, and knows how many."""

    def __init__(self, server: FakeEvolutionServer, pause: float = 0.005) -> None:
        self._server, self._pause = server, pause
        self._instances = list(server.instances)
        self.count = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def one(self) -> None:
        """Emit one."""
        number, self.count = self.count, self.count + 1
        self._server.emit(
            "messages.upsert",
            {
                "seq": number,
                "key": {"id": f"M{number}", "remoteJid": "5511900000001@s.whatsapp.net"},
            },
            instance=self._instances[number % len(self._instances)],
        )

    def _run(self) -> None:
        while not self._stopping.wait(self._pause):
            self.one()

    def __enter__(self) -> Source:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()


def handled(store: RedisServer) -> dict[str, int]:
    """Return how often each event was handled."""
    return {name: int(times) for name, times in store.client.hgetall("handled").items()}


def sent(store: RedisServer) -> set[str]:
    """Return the ids of the tasks that wait in the queue."""
    found = store.client.lrange("celery", 0, -1)
    return {json.loads(message)["headers"]["id"] for message in found}


def holder(store: RedisServer) -> str | None:
    """Return the token of the lease."""
    token: str | None = store.client.get("evolution-ws:counting.count:lease:0")
    return token


def test_a_standby_takes_over_within_seconds(tmp_path: Path, store: RedisServer) -> None:
    """A forwarder that is killed is replaced within 3 s, with the default lease."""
    url = store.url()
    with (
        FakeEvolutionServer(instances=("sales",)) as server,
        forwarder(tmp_path / "a.log", server.url, url, lease=2.0) as first,
    ):
        first.wait_for("sends the events of shard 0")
        server.wait_for_client("sales", 1, CEILING)
        with forwarder(tmp_path / "b.log", server.url, url, lease=2.0):
            server.wait_for_client("sales", 2, CEILING)
            with Source(server) as source:
                wait_until(lambda: store.client.llen("celery") > 20)
                first.send(signal.SIGKILL)
                first.process.wait()
                killed_at, before = time.monotonic(), store.client.llen("celery")
                wait_until(lambda: store.client.llen("celery") > before, CEILING)
                gap = time.monotonic() - killed_at
            wait_until(lambda: store.client.llen("celery") >= source.count, CEILING)
    print(f"take-over after {gap:.2f} s")
    assert gap < 3.0


def test_a_holder_that_wakes_up_late_sends_nothing(tmp_path: Path, store: RedisServer) -> None:
    """A frozen forwarder loses its lease, and finds that out before it sends anything."""
    url = store.url()
    with (
        FakeEvolutionServer(instances=("sales",)) as server,
        forwarder(tmp_path / "a.log", server.url, url) as first,
    ):
        first.wait_for("sends the events of shard 0")
        server.wait_for_client("sales", 1, CEILING)
        with forwarder(tmp_path / "b.log", server.url, url) as second:
            server.wait_for_client("sales", 2, CEILING)
            before = holder(store)
            first.send(signal.SIGSTOP)
            source = Source(server)
            for _ in range(300):
                source.one()
            second.wait_for("sends the events of shard 0")
            assert holder(store) != before
            # What is left for the sleeper to send, were it to send anything:
            wait_until(lambda: store.client.llen("celery") == 300, CEILING)
            store.client.delete("celery")

            first.send(signal.SIGCONT)
            first.wait_for("lost the lease of shard 0")
            for _ in range(20):
                source.one()
            wait_until(lambda: store.client.llen("celery") >= 20, CEILING)
            assert first.stop() == 0
            assert second.stop() == 0

    assert store.client.llen("celery") == 20
    assert "stopped: 0 events sent" in first.text
    assert "stopped: 320 events sent" in second.text


def test_a_stopped_forwarder_hands_over_at_once(tmp_path: Path, store: RedisServer) -> None:
    """SIGTERM ends a forwarder in good order; its successor does not wait for the lease's end."""
    url = store.url()
    with (
        FakeEvolutionServer(instances=("sales",)) as server,
        forwarder(tmp_path / "a.log", server.url, url, lease=20) as first,
    ):
        first.wait_for("sends the events of shard 0")
        server.wait_for_client("sales", 1, CEILING)
        with forwarder(tmp_path / "b.log", server.url, url, lease=20) as second:
            server.wait_for_client("sales", 2, CEILING)

            assert first.stop() == 0

            second.wait_for("sends the events of shard 0", 15)


def end(running: dict[int, Running]) -> None:
    """End what still runs."""
    for one in running.values():
        one.__exit__(None, None, None)


def test_random_kills(tmp_path: Path, store: RedisServer) -> None:
    """Whichever forwarder is killed whenever: each event is handled, and once."""
    url = store.url()
    chance = random.Random(20)

    def start(number: int) -> Running:
        name = f"forwarder-{number}"
        return forwarder(tmp_path / f"{name}.log", server.url, url, durable=tmp_path / f"{name}.db")

    with ExitStack() as stack:
        server = stack.enter_context(FakeEvolutionServer(instances=("sales",)))
        stack.enter_context(worker(tmp_path / "worker.log", TEST_BROKER=url, TEST_REDIS=url))
        running = {number: start(number) for number in range(2)}
        stack.callback(lambda: end(running))
        server.wait_for_client("sales", 2, CEILING)
        with Source(server) as source:
            for _ in range(ROUNDS):
                wait_until(lambda: len(handled(store)) > source.count - 100, CEILING)
                time.sleep(chance.uniform(0, 0.5))
                victim = chance.randrange(2)
                running[victim].send(signal.SIGKILL)
                running[victim].process.wait()
                wait_until(lambda: len(server.clients) == 1)
                running[victim] = start(victim)
                server.wait_for_client("sales", 2, CEILING)
        wait_until(lambda: len(handled(store)) >= source.count, CEILING)
        wait_until(lambda: store.client.llen("celery") == 0, CEILING)

    counts = handled(store)
    assert source.count == len(counts)
    assert {1} == set(counts.values())
    print(f"{ROUNDS} kills, {source.count} events, none lost, none twice")


def test_shards_are_spread_and_move(tmp_path: Path, store: RedisServer) -> None:
    """Two forwarders share sixteen shards; when one dies the other has all of them."""
    url = store.url()
    names = tuple(f"shop-{number}" for number in range(12))

    def of(log: str) -> set[str]:
        """Return the shards that a forwarder has by its log."""
        text = (tmp_path / log).read_text()
        return set(re.findall(r"this forwarder sends the events of shard (\d+) now", text))

    with (
        FakeEvolutionServer(instances=names, global_events=True) as server,
        forwarder(tmp_path / "a.log", server.url, url, shards=16) as first,
        forwarder(tmp_path / "b.log", server.url, url, shards=16),
    ):
        server.wait_for_client(count=2, timeout=CEILING)
        wait_until(lambda: len(of("a.log") | of("b.log")) == 16, CEILING)
        wait_until(lambda: of("a.log") and of("b.log"), CEILING)
        with Source(server) as source:
            wait_until(lambda: store.client.llen("celery") > 100, CEILING)
            first.send(signal.SIGKILL)
            wait_until(lambda: len(of("b.log")) == 16, CEILING)
        wait_until(lambda: len(sent(store)) == source.count, CEILING)

    assert {f"{number}" for number in range(16)} == of("b.log")
