"""Forwarders that share the work, in one process."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from evolution_ws import ConfigError
from evolution_ws.integrations.celery import Cluster, forward
from evolution_ws.testing import FakeEvolutionServer

from ..core_tools import make_client
from ..helpers import wait_until
from .celery_tools import RedisServer
from .test_celery_forwarder import app, forwarding, say, seqs, store
from .test_celery_publish import make_app


__all__ = ["app", "store"]  # fixtures


def cluster(store: RedisServer, **changes: Any) -> Cluster:
    """Return a cluster with a short lease."""
    return Cluster(redis_url=store.url(1), **{"lease": 0.6, **changes})


def test_a_standby_forgets_what_was_sent(
    server: FakeEvolutionServer, app: Celery, store: RedisServer
) -> None:
    """Of two forwarders one sends, and the other one's memory is emptied."""
    with forwarding(app, make_client(server.url), cluster=cluster(store)) as active:
        wait_until(lambda: active.stats.held)
        with forwarding(app, make_client(server.url), cluster=cluster(store)) as standby:
            say(server, *range(60))
            wait_until(lambda: standby.stats.duplicates == 60)

    assert list(range(60)) == seqs(store)
    assert (active.stats.sent, standby.stats.sent) == (60, 0)
    assert standby.stats.waiting == 0


def test_a_standby_sends_what_the_other_one_cannot_have(
    server: FakeEvolutionServer,
    app: Celery,
    store: RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An event that one forwarder alone received is sent, whoever holds the lease."""
    monkeypatch.setattr("evolution_ws.integrations.celery.standby._GRACE", 0.2)
    inbox: dict[str, Any] = {"durable": str(tmp_path / "inbox.db"), "auto_ack": False}
    with make_client(server.url, **inbox) as earlier:
        say(server, 1)
        wait_until(lambda: earlier.stats.received == 1)
        wait_until(lambda: earlier.stats.queue_events == 1)

    with forwarding(app, make_client(server.url), cluster=cluster(store)) as active:
        wait_until(lambda: active.stats.held)
        with forwarding(app, make_client(server.url, **inbox), cluster=cluster(store)) as standby:
            wait_until(lambda: standby.stats.sent == 1)
            say(server, 2)
            wait_until(lambda: active.stats.sent == 1)

    assert [1, 2] == seqs(store)


def test_the_redis_of_a_cluster_goes_away(
    server: FakeEvolutionServer,
    tmp_path: Path,
    store: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without it nobody knows who sends, so nobody does, until it is back."""
    caplog.set_level(logging.INFO, "evolution_ws.forward")
    (tmp_path / "broker").mkdir()
    with RedisServer(tmp_path / "broker") as broker:
        app = make_app(broker.url())
        with forwarding(app, make_client(server.url), cluster=cluster(store)) as forwarder:
            wait_until(lambda: forwarder.stats.held)
            store.stop()
            wait_until(lambda: not forwarder.stats.held)
            say(server, 1)
            wait_until(lambda: "the Redis of the cluster cannot be used" in caplog.text)
            wait_until(lambda: forwarder.stats.waiting == 1)
            assert forwarder.stats.sent == 0
            store.start()
            wait_until(lambda: forwarder.stats.sent == 1)

        assert [1] == seqs(broker)
        assert "the Redis of the cluster can be used again" in caplog.text


def test_a_cluster_whose_redis_is_down_at_the_start(
    server: FakeEvolutionServer, app: Celery, store: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A forwarder starts without the Redis, and begins when it is there."""
    store.stop()
    with forwarding(app, make_client(server.url), cluster=cluster(store)) as forwarder:
        say(server, 1)
        wait_until(lambda: "the Redis of the cluster cannot be used" in caplog.text)
        store.start()
        wait_until(lambda: forwarder.stats.sent == 1)


def test_what_a_predecessor_sent_is_not_sent_again(
    server: FakeEvolutionServer, app: Celery, store: RedisServer
) -> None:
    """Whoever gets the lease asks first what was sent before."""
    known = redis.Redis.from_url(store.url(1))
    known.set("evolution-ws:shop.handle:sent:sales:messages.upsert:M1", 1)
    known.close()

    with forwarding(app, make_client(server.url), cluster=cluster(store)) as forwarder:
        say(server, 1, 2)
        wait_until(lambda: forwarder.stats.sent == 1)

    assert [2] == seqs(store)
    assert forwarder.stats.duplicates == 1


def test_more_than_fits_in_hand_waits_in_the_inbox(
    server: FakeEvolutionServer, app: Celery, store: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing can be sent, a forwarder takes no more than it has room for."""
    monkeypatch.setattr("evolution_ws.integrations.celery.forwarder._IN_HAND", 10)
    client = make_client(server.url)
    store.stop()
    with forwarding(app, client, cluster=cluster(store)) as forwarder:
        say(server, *range(30))
        wait_until(lambda: client.stats.received == 30)
        wait_until(lambda: forwarder.stats.waiting == 10)
        wait_until(lambda: client.stats.queue_events == 20)
        store.start()
        wait_until(lambda: forwarder.stats.sent == 30)

    assert list(range(30)) == seqs(store)


def test_shards_of_one_forwarder(app: Celery, store: RedisServer) -> None:
    """A forwarder that is alone in its cluster sends the events of all instances."""
    names = [f"shop-{number}" for number in range(8)]
    with FakeEvolutionServer(instances=names, global_events=True) as server:
        client = make_client(server.url, None)
        with forwarding(app, client, cluster=cluster(store, shards=16)) as forwarder:
            for number, name in enumerate(names):
                say(server, number, instance=name)
            wait_until(lambda: forwarder.stats.sent == 8)
            assert frozenset(range(16)) == forwarder.stats.held

    assert set(range(8)) == set(seqs(store))


def test_forwarders_have_to_agree_on_the_shards(
    server: FakeEvolutionServer, app: Celery, store: RedisServer
) -> None:
    """Another number of shards would send events twice, and is refused."""
    with (
        forwarding(app, make_client(server.url), cluster=cluster(store, shards=4)),
        pytest.raises(ConfigError, match="have 4 shards, not 8"),
    ):
        forward(app, make_client(server.url), task="shop.handle", cluster=cluster(store, shards=8))
