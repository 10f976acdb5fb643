"""Leases and the ledger, against a real Redis."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from evolution_ws.integrations.celery import Cluster
from evolution_ws.integrations.celery import lease as lease_module
from evolution_ws.integrations.celery.lease import Leases, monotonic
from evolution_ws.integrations.celery.ledger import Ledger, connect_redis

from ..helpers import wait_until
from .celery_tools import RedisServer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a Redis, which a test may stop."""
    with RedisServer(tmp_path) as started:
        yield started


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Return a stack that closes what is pushed on it."""
    with ExitStack() as made:
        yield made


def join(stack: ExitStack, store: RedisServer, ready: bool = True, shards: int = 1) -> Leases:
    """Return the leases of a new member."""
    cluster = Cluster(redis_url=store.url(), shards=shards, lease=0.6)
    leases = Leases(cluster, "test", lambda: ready)
    leases.start()
    stack.callback(leases.close)
    return leases


def test_one_member_at_a_time_holds_a_shard(store: RedisServer, stack: ExitStack) -> None:
    """However many there are, a shard has one holder, and it keeps it."""
    first = join(stack, store)
    wait_until(lambda: first.holds(0))
    others = [join(stack, store) for _ in range(3)]
    wait_until(lambda: store.client.zcard("test:members") == 4)

    deadline = time.monotonic() + 1.2  # two leases
    while time.monotonic() < deadline:
        assert [False] * 3 == [other.holds(0) for other in others]
    assert first.holds(0)


def test_a_holder_without_events_gives_way(store: RedisServer, stack: ExitStack) -> None:
    """A member that is cut off from the server holds a shard only while nobody else can."""
    cut_off = join(stack, store, ready=False)
    wait_until(lambda: cut_off.holds(0))

    ready = join(stack, store)

    wait_until(lambda: ready.holds(0))
    assert not cut_off.holds(0)


def test_shards_are_shared_out_anew(store: RedisServer, stack: ExitStack) -> None:
    """A member that joins gets its share, and its predecessor lets go of no more than that."""
    first = join(stack, store, shards=16)
    wait_until(lambda: len(first.held) == 16)

    second = join(stack, store, shards=16)

    wait_until(lambda: second.held and len(first.held) + len(second.held) == 16)
    assert not first.held & second.held


def test_a_holder_trusts_its_lease_for_less_than_redis(
    store: RedisServer, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the time that another one can get the lease, its holder has stopped by itself."""
    leases = join(stack, store)
    wait_until(lambda: leases.holds(0))
    store.stop()  # nothing is renewed from here on
    now = monotonic()

    monkeypatch.setattr(lease_module, "monotonic", lambda: now + 0.6 * 0.75)

    assert not leases.holds(0)


def test_a_lease_that_somebody_else_has_is_lost(
    store: RedisServer, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever finds another's name in the lease stops, and gets it back when it ends."""
    leases = join(stack, store)
    wait_until(lambda: leases.holds(0))

    store.client.set("test:lease:0", "somebody else", px=400)

    wait_until(lambda: "lost the lease of shard 0" in caplog.text)
    assert not leases.holds(0)
    wait_until(lambda: leases.holds(0))


def test_the_clock_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems without a clock that counts suspended time have the ordinary one."""
    monkeypatch.setattr(lease_module, "_BOOT_CLOCK", None)

    assert abs(monotonic() - time.monotonic()) < 1


def test_other_shards_after_a_late_start(
    store: RedisServer, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """A member that finds out late that the others have other shards sends nothing."""
    store.stop()
    leases = join(stack, store, shards=8)
    wait_until(lambda: "cannot be used" in caplog.text)
    store.start()
    store.client.set("test:shards", 4, px=60_000)

    wait_until(lambda: "have 4 shards, not 8" in caplog.text)

    assert not leases.held
    store.client.delete("test:shards")
    wait_until(lambda: len(leases.held) == 8)


def test_complaints_are_made_once(
    store: RedisServer, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """A Redis that is away for many rounds is one line in the log."""
    caplog.set_level(logging.INFO, "evolution_ws.forward")
    leases = join(stack, store)
    wait_until(lambda: leases.holds(0))
    store.stop()
    wait_until(lambda: not leases.holds(0))
    time.sleep(0.5)  # some rounds
    store.start()
    wait_until(lambda: leases.holds(0))

    assert 1 == caplog.text.count("cannot be used")
    assert 1 == caplog.text.count("can be used again")


def test_leaving_wakes_nobody_up_for_nothing(store: RedisServer) -> None:
    """Closing gives the lease back and ends the thread; without a Redis it does so, too."""
    with ExitStack() as stack:
        leases = join(stack, store)
        wait_until(lambda: leases.holds(0))
    assert store.client.get("test:lease:0") is None
    assert "evolution-ws-lease" not in [thread.name for thread in threading.enumerate()]

    with ExitStack() as stack:
        leases = join(stack, store)
        wait_until(lambda: leases.holds(0))
        store.stop()
    assert "evolution-ws-lease" not in [thread.name for thread in threading.enumerate()]


def test_a_lease_that_never_began_is_closed(store: RedisServer) -> None:
    """Closing what was not started is no error."""
    Leases(Cluster(redis_url=store.url()), "test").close()


def test_the_ledger_remembers_ids(store: RedisServer) -> None:
    """Ids of any kind are known until they expire."""
    connection = connect_redis(store.url(), 1.0)
    ledger = Ledger(connection, "test", 60)

    ledger.add(["sales:call:1", "\ud83d:call:2"])

    assert {"sales:call:1", "\ud83d:call:2"} == ledger.sent(
        ["sales:call:1", "\ud83d:call:2", "sales:call:3"]
    )
    assert set() == ledger.sent([])
    assert 59_000 < store.client.pttl("test:sent:sales:call:1") <= 60_000
    connection.close()


def test_a_connection_that_was_cut_is_made_again(store: RedisServer) -> None:
    """What Redis closed while nothing was asked is not noticed by whoever asks next."""
    connection = connect_redis(store.url(), 1.0)
    ledger = Ledger(connection, "test", 60)
    ledger.add(["a"])
    store.client.client_kill_filter(_type="normal", skipme=True)

    assert {"a"} == ledger.sent(["a"])
    connection.close()


def test_a_redis_that_is_away(store: RedisServer) -> None:
    """The error is the one that forwarders look for."""
    connection = connect_redis(store.url(), 0.5)
    store.stop()

    with pytest.raises(redis.RedisError):
        Ledger(connection, "test", 60).add(["a"])
    connection.close()
