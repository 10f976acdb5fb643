"""A forwarder that lives in a worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery

from evolution_ws import ConfigError
from evolution_ws.integrations.celery import Cluster, ForwarderStep
from evolution_ws.integrations.celery.bootstep import _run as run_step
from evolution_ws.integrations.celery.bootstep import make_forwarder
from evolution_ws.testing import FakeEvolutionServer

from ..helpers import wait_until
from .celery_tools import CEILING, RedisServer, worker
from .test_celery_publish import make_app


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a Redis."""
    with RedisServer(tmp_path) as started:
        yield started


def app_with(**conf: Any) -> Celery:
    """Return an app with one task and these settings."""
    app = make_app("memory://")
    app.conf.update(conf)
    return app


def test_a_worker_forwards_and_handles(tmp_path: Path, store: RedisServer) -> None:
    """One process receives events and runs their tasks; stopping it ends both."""
    environ = {
        "TEST_BROKER": store.url(),
        "TEST_REDIS": store.url(),
        "TEST_STEP": str(tmp_path / "inbox-%n.db"),
    }
    with FakeEvolutionServer(instances=("sales",)) as server:
        options = ["--pool", "prefork", "--concurrency", "1", "--hostname", "one@host"]
        with worker(
            tmp_path / "worker.log", *options, TEST_SERVER=server.url, **environ
        ) as running:
            server.wait_for_client("sales", 1, CEILING)
            for number in range(5):
                server.emit("messages.upsert", {"seq": number, "key": {"id": f"M{number}"}})
            wait_until(lambda: store.client.hlen("handled") == 5, CEILING)

            assert running.stop() == 0

        assert ["0", "1", "2", "3", "4"] == store.client.lrange("order", 0, -1)
        assert "stopped: 5 events sent" in running.text
        assert (tmp_path / "inbox-one@host.db").exists()


def test_a_worker_whose_server_refuses_goes_on(tmp_path: Path, store: RedisServer) -> None:
    """A forwarder that cannot work says so, and the tasks run all the same."""
    environ = {"TEST_BROKER": store.url(), "TEST_REDIS": store.url()}
    with FakeEvolutionServer(instances=("sales",), api_key="right") as server:
        inbox = str(tmp_path / "inbox.db")
        log = tmp_path / "worker.log"
        with worker(log, TEST_SERVER=server.url, TEST_STEP=inbox, **environ) as running:
            running.wait_for("this worker forwards no events any more")
            with Celery("caller", broker=store.url(), set_as_current=False) as app:
                app.send_task("counting.count", ({"id": "E", "data": {}},), ignore_result=True)
            running.wait_for("succeeded")


def test_a_worker_with_wrong_settings_goes_on(tmp_path: Path, store: RedisServer) -> None:
    """What is missing is said at the start."""
    environ = {"TEST_BROKER": store.url(), "TEST_REDIS": store.url(), "TEST_STEP": "x"}
    with worker(tmp_path / "worker.log", **environ) as running:
        running.wait_for("this worker forwards no events: set app.conf.evolution_url")


def test_the_step_starts_and_stops_a_forwarder(tmp_path: Path, store: RedisServer) -> None:
    """Within the worker's process the step is a thread that ends with it."""
    with FakeEvolutionServer(instances=("sales",)) as server:
        app = make_app(store.url())
        app.conf.evolution_url, app.conf.evolution_instance = server.url, "sales"
        app.conf.evolution_forward = {"task": "shop.handle", "cluster": None}
        parent = SimpleNamespace(app=app, hostname="worker")
        step = ForwarderStep(parent)

        try:
            step.start(parent)
            server.wait_for_client("sales")
            server.emit("call", {"id": "1"})
            wait_until(lambda: store.client.llen("celery") == 1)
        finally:
            step.stop(parent)
        step.stop(parent)

        wait_until(lambda: not server.clients)


@pytest.mark.parametrize("error", [ConfigError("the words"), RuntimeError("the words")], ids=repr)
def test_a_forwarder_that_fails_is_reported(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever ends the thread is in the log."""

    class Failing:
        """Fails when it is run."""

        def run(self) -> None:
            """Fail."""
            raise error

    run_step(Failing())  # type: ignore[arg-type]

    assert "this worker forwards no events any more" in caplog.text
    assert "the words" in caplog.text


def test_a_step_without_settings_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A step that cannot work says so, and stopping it is no error."""
    parent = SimpleNamespace(app=app_with(), hostname="worker")
    step = ForwarderStep(parent)

    step.start(parent)
    step.stop(parent)

    assert "this worker forwards no events: set evolution_forward" in caplog.text


URL = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("conf", "problem"),
    [
        ({}, "set evolution_forward"),
        ({"evolution_forward": "shop.handle"}, "set evolution_forward"),
        ({"evolution_forward": {"queue": "x"}}, "at least the task"),
        ({"evolution_forward": {"task": "shop.handle", "que": "x"}}, "unknown key 'que'"),
        ({"evolution_forward": {"task": "nothing"}}, "has no task 'nothing'"),
        ({"evolution_forward": {"task": "shop.handle"}, "evolution_url": None}, "EVOLUTION_URL"),
        ({"evolution_forward": {"task": "shop.handle", "cluster": 3}}, "cluster has to be a dict"),
        (
            {"evolution_forward": {"task": "shop.handle", "cluster": {"shards": 2}}},
            "a cluster needs a Redis",
        ),
        (
            {
                "evolution_forward": {"task": "shop.handle", "cluster": {"parts": 2}},
                "evolution_redis_url": "redis://host",
            },
            "shards, lease and expiry, not parts",
        ),
    ],
    ids=[
        "missing",
        "text",
        "no task",
        "unknown key",
        "unknown task",
        "no address",
        "cluster",
        "no redis",
        "unknown field",
    ],
)
def test_settings_that_cannot_work(conf: dict[str, Any], problem: str) -> None:
    """Each is a sentence that says what to write."""
    with pytest.raises(ConfigError) as caught:
        make_forwarder(app_with(**{"evolution_url": URL, **conf}), "worker")

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("conf", "held"),
    [
        ({}, {0}),
        ({"evolution_redis_url": "redis://127.0.0.1:1"}, set()),
        ({"broker_url": "redis://127.0.0.1:1"}, set()),
        ({"broker_url": "sentinel://127.0.0.1:1;sentinel://127.0.0.1:2"}, {0}),
    ],
    ids=["no redis", "setting", "broker", "sentinel"],
)
def test_a_redis_makes_a_cluster(conf: dict[str, Any], held: set[int]) -> None:
    """Where there is a Redis, several workers may forward: none sends without a lease."""
    forward = {"task": "shop.handle"}

    made = make_forwarder(app_with(evolution_url=URL, evolution_forward=forward, **conf), "worker")

    assert held == made.stats.held


def test_a_cluster_may_be_given_or_declined() -> None:
    """A Cluster is taken as it is, and None means that there is none."""
    conf = {"evolution_url": URL, "evolution_redis_url": "redis://127.0.0.1:1"}
    given = {"task": "shop.handle", "cluster": Cluster(redis_url="redis://127.0.0.1:2")}
    declined = {"task": "shop.handle", "cluster": None}

    first = make_forwarder(app_with(**conf, evolution_forward=given), "worker")
    second = make_forwarder(app_with(**conf, evolution_forward=declined), "worker")

    assert (frozenset(), frozenset({0})) == (first.stats.held, second.stats.held)
