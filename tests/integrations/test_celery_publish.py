"""What reaches the broker, and what is said when it does not."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from evolution_ws import ConfigError, Event
from evolution_ws.integrations.celery.publish import BrokerAway, EventRefused, Publisher

from ..core_tools import free_port
from .celery_tools import RedisServer


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return a Redis."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as started:
        yield started


@pytest.fixture
def app(store: RedisServer) -> Celery:
    """Return an app with one task, on an empty broker."""
    store.client.flushall()
    return make_app(store.url())


def make_app(broker: str) -> Celery:
    """Return an app with one task."""
    made = Celery("shop", broker=broker, set_as_current=False)

    @made.task(name="shop.handle", shared=False)  # type: ignore[untyped-decorator] # Celery ships no types
    def handle(event: dict[str, Any]) -> None:
        """Do nothing."""

    return made


def messages(store: RedisServer, queue: str = "celery") -> list[dict[str, Any]]:
    """Return the messages in a queue, oldest first, with their bodies read."""
    found = [json.loads(text) for text in reversed(store.client.lrange(queue, 0, -1))]
    for message in found:
        message["args"] = json.loads(base64.b64decode(message["body"]))[0]
    return found


EVENT = Event("messages.upsert", "sales", {"key": {"id": "M1"}, "message": {"conversation": "Oi"}})


def test_a_task_call_has_the_event_and_its_id(store: RedisServer, app: Celery) -> None:
    """The call's id is the event's, and its argument the event as a dict."""
    publisher = Publisher(app, "shop.handle")

    publisher.publish(EVENT)
    publisher.close()

    [message] = messages(store)
    assert message["headers"]["id"] == EVENT.id
    assert message["headers"]["task"] == "shop.handle"
    assert message["headers"]["ignore_result"] is True
    assert Event.from_dict(message["args"][0]) == EVENT


def test_no_text_is_in_the_headers(store: RedisServer, app: Celery) -> None:
    """Headers are shown by monitors: what people write is in the body alone."""
    publisher = Publisher(app, "shop.handle")

    publisher.publish(EVENT)
    publisher.close()

    [message] = messages(store)
    assert message["headers"]["argsrepr"] == "(<messages.upsert>,)"
    assert "Oi" not in json.dumps(message["headers"])


def test_each_attempt_is_a_copy_of_its_own(store: RedisServer, app: Celery) -> None:
    """Two calls for one event can be told apart."""
    publisher = Publisher(app, "shop.handle")

    publisher.publish(EVENT)
    publisher.publish(EVENT)
    publisher.close()

    first, second = messages(store)
    assert first["headers"]["id"] == second["headers"]["id"]
    assert first["headers"]["evolution_copy"] != second["headers"]["evolution_copy"]


def test_queue_routing_key_and_options(store: RedisServer, app: Celery) -> None:
    """Names may be computed from the event, and options are passed on."""
    publisher = Publisher(
        app,
        app.tasks["shop.handle"],
        queue=lambda event: f"of-{event.instance}",
        routing_key="ignored by a direct exchange",
        options={"priority": 3, "ignore_result": False},
    )

    publisher.publish(EVENT)
    publisher.close()

    [key] = store.client.keys("of-sales*")
    [message] = messages(store, key)
    assert message["properties"]["priority"] == 3
    assert message["headers"]["ignore_result"] is False


def test_an_unknown_task_names_the_known_ones(app: Celery) -> None:
    """A task that does not exist is a sentence that says what there is."""
    with pytest.raises(ConfigError) as caught:
        Publisher(app, "shop.handel")

    assert str(caught.value) == (
        "the app shop has no task 'shop.handel'; did you mean shop.handle? It has shop.handle. "
        "Import the task's module in the app (include=…), or say that workers alone know it "
        "(check_task=False)"
    )


def test_an_app_without_tasks_and_name() -> None:
    """An app that has neither is described as such."""
    with pytest.raises(ConfigError, match=r"the app without a name has no task 't'; It has none\."):
        Publisher(Celery(set_as_current=False), "t")


def test_a_task_that_workers_alone_know(store: RedisServer, app: Celery) -> None:
    """With check_task=False any name goes."""
    publisher = Publisher(app, "elsewhere.handle", check_task=False)

    publisher.publish(EVENT)
    publisher.close()

    assert ["elsewhere.handle"] == [one["headers"]["task"] for one in messages(store)]


@pytest.mark.parametrize("address", ["redis://:geheim@127.0.0.1:", "amqp://ana:geheim@127.0.0.1:"])
def test_a_broker_that_is_down(address: str) -> None:
    """The reason has no password in it, and neither has the broker's address."""
    app = make_app(f"{address}{free_port()}//")
    publisher = Publisher(app, "shop.handle")

    with pytest.raises(BrokerAway) as caught:
        publisher.publish(EVENT)

    assert str(caught.value) == "ConnectionRefusedError: Connection refused"
    assert "geheim" not in str(caught.value) + publisher.broker


def test_a_broker_that_comes_back(tmp_path: Path) -> None:
    """A connection that broke is made anew with the next event."""
    with RedisServer(tmp_path) as store:
        publisher = Publisher(make_app(store.url()), "shop.handle")
        publisher.publish(EVENT)
        store.stop()
        with pytest.raises(BrokerAway):
            publisher.publish(EVENT)

        store.start()
        publisher.publish(EVENT)

        assert len(messages(store)) == 1
        publisher.close()


def test_a_broker_that_is_full(store: RedisServer, app: Celery) -> None:
    """A broker that takes nothing at present is away, as far as events are concerned."""
    publisher = Publisher(app, "shop.handle")
    store.client.config_set("maxmemory", 1)
    try:
        with pytest.raises(BrokerAway):
            publisher.publish(EVENT)
    finally:
        store.client.config_set("maxmemory", 0)

    publisher.publish(EVENT)
    publisher.close()
    assert len(messages(store)) == 1


def test_an_event_that_cannot_be_sent(app: Celery) -> None:
    """What no attempt can change is no trouble of the broker's."""
    publisher = Publisher(app, "shop.handle", queue=lambda event: 1 / 0)  # type: ignore[arg-type,return-value]

    with pytest.raises(EventRefused, match="ZeroDivisionError"):
        publisher.publish(EVENT)


@pytest.mark.parametrize(
    ("address", "problem"),
    [("carrier-pigeon://", "No such transport: carrier-pigeon"), ("redis://:geheim@host:x", "")],
    ids=["transport", "port"],
)
def test_a_broker_that_can_never_be_used(address: str, problem: str) -> None:
    """A wrong address ends a forwarder at its start, with what to do."""
    with pytest.raises(ConfigError) as caught:
        Publisher(make_app(address), "shop.handle")

    assert "correct broker_url" in str(caught.value)
    assert problem in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_the_filesystem_is_a_broker(tmp_path: Path) -> None:
    """Any transport will do."""
    app = make_app("filesystem://")
    app.conf.broker_transport_options = {
        "data_folder_in": str(tmp_path),
        "data_folder_out": str(tmp_path),
        "control_folder": str(tmp_path / "control"),
    }
    publisher = Publisher(app, "shop.handle")

    publisher.publish(EVENT)
    publisher.close()

    [file] = tmp_path.glob("*.celery.msg")
    assert EVENT.id in file.read_text()
