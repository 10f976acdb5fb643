"""A forwarder on its own: what it sends, what it keeps, and how it ends."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from evolution_ws import AuthenticationError, Client, ConfigError
from evolution_ws.integrations.celery import Forwarder, forward
from evolution_ws.testing import FakeEvolutionServer

from ..core_tools import make_client
from ..helpers import in_thread, wait_until
from .celery_tools import RedisServer
from .test_celery_publish import make_app, messages


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a Redis, which a test may stop."""
    with RedisServer(tmp_path) as started:
        yield started


@pytest.fixture
def app(store: RedisServer) -> Celery:
    """Return an app with one task."""
    return make_app(store.url())


@contextmanager
def forwarding(app: Celery, client: Client, **options: Any) -> Iterator[Forwarder]:
    """Run a forwarder in a thread, and stop it at the end."""
    made = Forwarder(app, client, task="shop.handle", **options)
    running = in_thread(made.run)
    try:
        wait_until(lambda: client.is_connected)
        yield made
    finally:
        made.stop()
        running.result()


def say(server: FakeEvolutionServer, *numbers: int, instance: str = "sales") -> None:
    """Emit numbered messages."""
    for number in numbers:
        key = {"id": f"M{number}", "remoteJid": "5511900000001@s.whatsapp.net"}
        server.emit("messages.upsert", {"seq": number, "key": key}, instance=instance)


def seqs(store: RedisServer) -> list[int]:
    """Return the numbers of the events that the broker has."""
    return [message["args"][0]["data"]["seq"] for message in messages(store)]


def test_events_become_task_calls_in_order(
    server: FakeEvolutionServer, app: Celery, store: RedisServer
) -> None:
    """Each event is one call, and their order is kept."""
    with forwarding(app, make_client(server.url)) as forwarder:
        say(server, *range(120))
        wait_until(lambda: forwarder.stats.sent == 120)

    assert list(range(120)) == seqs(store)
    assert forwarder.stats.waiting == 0


def test_only_events_of_the_types(
    server: FakeEvolutionServer, app: Celery, store: RedisServer
) -> None:
    """What is not to be forwarded is done with; names come in any spelling."""
    with forwarding(app, make_client(server.url), types="MESSAGES_UPSERT") as forwarder:
        server.emit("presence.update", {"seq": 1})
        say(server, 2)
        wait_until(lambda: forwarder.stats.sent)

    assert [2] == seqs(store)


def test_events_wait_while_the_broker_is_down(
    server: FakeEvolutionServer, app: Celery, store: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that goes away is reported once; what came meanwhile is sent when it is back."""
    caplog.set_level(logging.INFO, "evolution_ws.forward")
    with forwarding(app, make_client(server.url)) as forwarder:
        say(server, 1)
        wait_until(lambda: forwarder.stats.sent == 1)
        store.stop()
        say(server, 2, 3)
        wait_until(lambda: "takes no events" in caplog.text)
        store.start()
        wait_until(lambda: forwarder.stats.sent == 3)

    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    # Newer versions of kombu mask a password even where there is none.
    told = [text.replace(":**@", "") for text in warnings]
    assert [2, 3] == seqs(store)
    assert told == [
        f"the broker redis://127.0.0.1:{store.port}/0 takes no events (ConnectionRefusedError: "
        "Connection refused); they wait in the inbox until it does. Start it, or correct broker_url"
    ]
    assert "the broker takes events again" in caplog.text


def test_a_stop_does_not_wait_for_the_broker(
    server: FakeEvolutionServer, app: Celery, store: RedisServer
) -> None:
    """A forwarder whose broker is down can be stopped; the event stays where it was."""
    store.stop()
    with forwarding(app, make_client(server.url)) as forwarder:
        say(server, 1)
        wait_until(lambda: forwarder.stats.waiting)

    assert forwarder.stats.sent == 0


def test_what_was_not_sent_stays_in_a_durable_inbox(
    server: FakeEvolutionServer, app: Celery, store: RedisServer, tmp_path: Path
) -> None:
    """An event leaves the inbox when the broker has it, and not before."""
    inbox: dict[str, Any] = {"durable": str(tmp_path / "inbox.db"), "auto_ack": False}
    store.stop()
    with forwarding(app, make_client(server.url, **inbox)) as forwarder:
        say(server, 1, 2)
        wait_until(lambda: forwarder.stats.waiting == 2)
    store.start()

    with forwarding(app, make_client(server.url, **inbox)) as forwarder:
        wait_until(lambda: forwarder.stats.sent == 2)

    assert [1, 2] == seqs(store)
    with make_client(server.url, **inbox) as client, pytest.raises(TimeoutError):
        client.get(timeout=0.2)


def test_an_event_that_is_refused_does_not_hold_up_the_rest(
    server: FakeEvolutionServer, app: Celery, store: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """What can never be sent is reported, and the next one is sent."""

    def queue(event: Any) -> str:
        assert event.data["seq"] != 1
        return "celery"

    with forwarding(app, make_client(server.url), queue=queue) as forwarder:
        say(server, 1, 2)
        wait_until(lambda: forwarder.stats.sent == 1)

    assert [2] == seqs(store)
    assert forwarder.stats.refused == 1
    assert "will not take sales:messages.upsert:M1 (AssertionError)" in caplog.text


def test_a_refused_key_ends_it(app: Celery) -> None:
    """What makes the client fail for good ends the forwarder."""
    with (
        FakeEvolutionServer(instances=("sales",), api_key="right") as server,
        pytest.raises(AuthenticationError),
    ):
        forward(app, make_client(server.url, api_key="wrong"), task="shop.handle")


def test_a_closed_client_ends_it(
    server: FakeEvolutionServer, app: Celery, store: RedisServer
) -> None:
    """What arrived before the client was closed is sent."""
    client = make_client(server.url)
    running = in_thread(lambda: forward(app, client, task="shop.handle"))
    wait_until(lambda: client.is_connected)
    say(server, 1, 2, 3)
    wait_until(lambda: client.stats.received == 3)

    client.close()

    running.result()
    assert [1, 2, 3] == seqs(store)


def test_a_closed_client_ends_it_without_a_broker(
    server: FakeEvolutionServer, app: Celery, store: RedisServer
) -> None:
    """Nobody waits for ever for a broker that is down."""
    store.stop()
    client = make_client(server.url)
    running = in_thread(lambda: forward(app, client, task="shop.handle"))
    wait_until(lambda: client.is_connected)
    say(server, 1)
    wait_until(lambda: client.stats.received == 1)

    client.close()

    running.result()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_signals_end_it(server: FakeEvolutionServer, app: Celery, number: signal.Signals) -> None:
    """In the main thread a signal ends it in good order, and the handlers are put back."""
    before = signal.getsignal(number)
    client = make_client(server.url)

    def kill() -> None:
        wait_until(lambda: client.is_connected)
        signal.raise_signal(number)

    killing = in_thread(kill)
    forward(app, client, task="shop.handle")

    killing.result()
    assert signal.getsignal(number) is before


def test_a_client_without_an_inbox_is_refused(app: Celery) -> None:
    """A forwarder reads the inbox."""
    with pytest.raises(ConfigError, match="queue_size must not be 0"):
        Forwarder(app, Client("http://127.0.0.1:1", queue_size=0), task="shop.handle")


def test_an_inbox_that_acknowledges_by_itself_is_refused(app: Celery, tmp_path: Path) -> None:
    """A durable inbox has to wait for the broker."""
    client = Client("http://127.0.0.1:1", durable=str(tmp_path / "inbox.db"))

    with pytest.raises(ConfigError, match="auto_ack=False"):
        Forwarder(app, client, task="shop.handle")


def test_a_stop_leaves_the_rest_of_a_batch(
    server: FakeEvolutionServer, app: Celery, store: RedisServer
) -> None:
    """A forwarder ends with the event in hand, not with all that wait."""
    made: list[Forwarder] = []

    def queue(event: Any) -> str:
        if event.data["seq"] == 2:
            made[0].stop()
        return "celery"

    client = make_client(server.url)
    client.connect()
    server.wait_for_client("sales")
    say(server, 1, 2, 3)
    wait_until(lambda: client.stats.received == 3)
    made.append(Forwarder(app, client, task="shop.handle", queue=queue))

    made[0].run()

    assert [1, 2] == seqs(store)
    assert made[0].stats.waiting == 1
