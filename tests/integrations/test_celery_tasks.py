"""Tasks that handle an event once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Ignore

from evolution_ws import ConfigError
from evolution_ws.integrations.celery import EventTask

from .celery_tools import RedisServer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a Redis, which a test may stop."""
    with RedisServer(tmp_path) as started:
        yield started


def make_task(broker: str, seen: list[Any], **conf: Any) -> Any:
    """Return a task that notes its events."""
    app = Celery("shop", broker=broker, set_as_current=False)
    app.conf.update(conf)

    @app.task(  # type: ignore[untyped-decorator] # Celery ships no types
        name="shop.handle", base=EventTask, bind=True, shared=False
    )
    def handle(self: Any, event: Any) -> None:
        """Note the event, under the id of the call."""
        seen.append((self.request.id, event))

    return handle


def call(task: Any, copy: str | None, event: str = "E1", **request: Any) -> None:
    """Run *task* as a worker does for one copy of an event."""
    header = {} if copy is None else {"evolution_copy": copy}
    task.push_request(id=event, called_directly=False, args=[event], kwargs={}, **header, **request)
    try:
        task(event)
    finally:
        task.pop_request()


def test_the_first_copy_counts(store: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """A second copy is dropped; the first one runs again when it is delivered again."""
    caplog.set_level(logging.INFO, "evolution_ws.forward")
    seen: list[Any] = []
    task = make_task(store.url(), seen)

    call(task, "a")
    with pytest.raises(Ignore):
        call(task, "b")
    call(task, "a")
    call(task, "c", event="E2")

    assert [("E1", "E1"), ("E1", "E1"), ("E2", "E2")] == seen
    assert "dropped a second copy of E1" in caplog.text


def test_tasks_count_for_themselves(store: RedisServer) -> None:
    """Two tasks may have the same event."""
    seen: list[Any] = []
    first, second = make_task(store.url(), seen), make_task(store.url(), seen)
    second.name = "shop.other"

    call(first, "a")
    call(second, "b")

    assert len(seen) == 2


def test_a_claim_is_forgotten(store: RedisServer) -> None:
    """The memory of a claim ends with its expiry."""
    task = make_task(store.url(), [])

    call(task, "a")

    left = store.client.pttl("evolution-ws:claim:shop.handle:E1")
    assert 21_500_000 < left <= 21_600_000


def test_what_nobody_forwarded_is_a_plain_call(store: RedisServer) -> None:
    """Without a copy's name, and when it is called as a function, a task simply runs."""
    seen: list[Any] = []
    task = make_task(store.url(), seen)

    call(task, None)
    call(task, None)
    task("E2")

    assert ["E1", "E1", "E2"] == [event for _, event in seen]
    assert store.client.keys("evolution-ws:*") == []


def test_without_a_redis_it_is_a_plain_task() -> None:
    """With another broker and no setting nothing can be remembered."""
    seen: list[Any] = []
    task = make_task("memory://", seen)

    call(task, "a")
    call(task, "b")

    assert len(seen) == 2


def test_the_setting_wins_over_the_broker(store: RedisServer) -> None:
    """evolution_redis_url names the Redis whatever the broker is."""
    task = make_task("memory://", [], evolution_redis_url=store.url(2))

    call(task, "a")

    assert store.client.execute_command("INFO", "keyspace").get("db2") is not None


def test_a_setting_that_is_no_redis() -> None:
    """A wrong address is said to be one, and is not shown."""
    task = make_task("memory://", [], evolution_redis_url="amqp://user:geheim@host")

    with pytest.raises(ConfigError, match="begins with redis://") as caught:
        call(task, "a")

    assert "geheim" not in str(caught.value)


def test_while_redis_is_away_a_task_waits(
    tmp_path: Path, store: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """What may have run before is put off, with the copy's name and its count of retries."""
    (tmp_path / "broker").mkdir()
    with RedisServer(tmp_path / "broker") as broker:
        task = make_task(broker.url(), [], evolution_redis_url=store.url())
        store.stop()

        with pytest.raises(Ignore):
            call(task, "a", headers={"evolution_copy": "a"}, retries=2)

        [message] = broker.client.lrange("celery", 0, -1)
        assert '"evolution_copy": "a"' in message
        assert '"retries": 2' in message
    assert "E1 waits, since it may have run before" in caplog.text


def test_with_everything_away_a_task_runs(
    store: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Rather twice than never: what cannot even be put off is handled."""
    seen: list[Any] = []
    task = make_task(store.url(), seen)
    task.app.conf.broker_connection_timeout = 0.2
    task.app.conf.task_publish_retry = False
    store.stop()

    call(task, "a")

    assert len(seen) == 1
    assert "E1 runs, and may have run before" in caplog.text
