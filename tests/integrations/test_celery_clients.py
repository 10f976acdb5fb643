"""The client inside tasks, in real workers with each kind of pool."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from evolution_ws import ConfigError
from evolution_ws.integrations.celery import close_clients, get_client
from evolution_ws.testing import Emitted, FakeEvolutionServer

from ..helpers import wait_until
from .celery_tools import CEILING, ROUNDS, RedisServer, Running, worker


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a Redis."""
    with RedisServer(tmp_path) as started:
        yield started


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close what a test has left open."""
    yield
    close_clients()


def make_app(**conf: Any) -> Celery:
    """Return an app with these settings."""
    app = Celery("shop", broker="memory://", set_as_current=False)
    app.conf.update(conf)
    return app


def call(store: RedisServer, name: str, *args: Any) -> Any:
    """Have the worker run a task."""
    with Celery("caller", broker=store.url(), set_as_current=False) as app:
        return app.send_task(name, args, ignore_result=True)


def numbers(emitted: list[Emitted]) -> list[int]:
    """Return the numbers that tasks emitted."""
    contents: list[Any] = [one.args[0] for one in emitted]
    return [content["number"] for content in contents]


POOLS = {
    "prefork": ["--pool", "prefork", "--concurrency", "2"],
    "threads": ["--pool", "threads", "--concurrency", "4"],
    "gevent": ["--pool", "gevent", "--concurrency", "4"],
    "solo": ["--pool", "solo"],
}


@pytest.mark.parametrize("pool", POOLS)
def test_one_client_per_worker_process(tmp_path: Path, store: RedisServer, pool: str) -> None:
    """Tasks emit through one connection per process, which is closed when the worker stops."""
    if pool == "gevent" and importlib.util.find_spec("gevent") is None:
        pytest.skip("gevent is missing: pip install gevent")
    with FakeEvolutionServer(instances=("sales",)) as server:
        environ = {"TEST_BROKER": store.url(), "TEST_SERVER": server.url}
        with worker(tmp_path / "worker.log", *POOLS[pool], **environ) as running:
            for number in range(20):
                call(store, "counting.emit", number)
            emitted = server.wait_for_emit(20, CEILING)
            connected = len(server.clients)

            assert running.stop() == 0

        wait_until(lambda: not server.clients)
        assert set(range(20)) == set(numbers(emitted))
        assert 1 <= connected <= (2 if pool == "prefork" else 1)
        assert "Traceback" not in running.text, running.text


def test_a_soft_time_limit_leaves_the_client_usable(tmp_path: Path, store: RedisServer) -> None:
    """A task that is interrupted while it waits in a client, or closes one, can go on with it."""
    with FakeEvolutionServer(instances=("sales",)) as server:
        environ = {"TEST_BROKER": store.url(), "TEST_SERVER": server.url}
        with worker(tmp_path / "worker.log", *POOLS["prefork"], **environ) as running:
            call(store, "counting.slow")
            call(store, "counting.slow_close")
            running.wait_for("'limited'")
            running.wait_for("'limited, closed: False, True'")

            assert running.stop() == 0

        assert [0, 99] == numbers(server.received)


def test_a_client_that_was_connected_before_the_fork(tmp_path: Path, store: RedisServer) -> None:
    """Tasks are told what to do, instead of emits that vanish; the worker's own client lives on."""
    with FakeEvolutionServer(instances=("sales",)) as server:
        environ = {"TEST_BROKER": store.url(), "TEST_SERVER": server.url, "TEST_HASTE": "1"}
        with worker(tmp_path / "worker.log", *POOLS["prefork"], **environ) as running:
            [before] = server.clients
            for _ in range(2):
                call(store, "counting.hasty")
            wait_until(lambda: running.text.count("raised unexpected") == 2, CEILING)

            assert running.text.count("connect it in this one, too: in Celery") > 1
            assert server.clients == [before]
            assert server.received == []


@pytest.mark.skipif(ROUNDS <= 3, reason="slow: part of the long run")
def test_a_child_that_is_killed_is_replaced(tmp_path: Path, store: RedisServer) -> None:
    """A new worker process makes a client of its own."""
    with FakeEvolutionServer(instances=("sales",)) as server:
        environ = {"TEST_BROKER": store.url(), "TEST_SERVER": server.url}
        options = ["--pool", "prefork", "--concurrency", "1"]
        with worker(tmp_path / "worker.log", *options, **environ) as running:
            call(store, "counting.emit", 1)
            server.wait_for_emit(1, CEILING)
            running.wait_for("succeeded")
            os.kill(_child_of(running), signal.SIGKILL)
            wait_until(lambda: not server.clients)

            call(store, "counting.emit", 2)

            server.wait_for_emit(2, CEILING)


def _child_of(running: Running) -> int:
    """Return the id of the process that ran the task."""
    line = next(line for line in running.text.splitlines() if "succeeded" in line)
    return int(line.rsplit(" ", 1)[1])


def test_the_client_is_shared() -> None:
    """An app has one client, until it is closed."""
    app = make_app(evolution_url="http://127.0.0.1:1", evolution_instance="sales")

    first = get_client(app)

    assert get_client(app) is first
    assert first.instances == ("sales",)
    close_clients()
    assert get_client(app) is not first


def test_settings_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings in the app the environment is read; the inbox's file is not for tasks."""
    monkeypatch.setenv("EVOLUTION_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("EVOLUTION_INSTANCE", "sales,support")
    monkeypatch.setenv("EVOLUTION_DURABLE", "inbox.db")

    assert get_client(make_app()).instances == ("sales", "support")


def test_settings_that_cannot_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a sentence that says what to write."""
    with pytest.raises(ConfigError, match=r"set app\.conf\.evolution_url"):
        get_client(make_app())
    with pytest.raises(ConfigError, match="evolution_url has to be an address"):
        get_client(make_app(evolution_url=8080))
    with pytest.raises(ConfigError, match="evolution_options has to be a dict"):
        get_client(make_app(evolution_url="http://x", evolution_options={"timeout": 5}))


def test_the_current_app_is_meant() -> None:
    """Inside tasks no app needs to be named."""
    app = make_app(evolution_url="http://127.0.0.1:1")
    app.set_current()

    assert get_client() is get_client(app)
