"""What a client tells of itself: counters, namespaces, logs."""

from __future__ import annotations

import threading

import pytest

from evolution_ws import ConnectionState, NamespaceState, _joins
from evolution_ws.testing import FakeEvolutionServer, build
from evolution_ws.testing._build_messages import ANA
from tests.core_tools import make_client
from tests.helpers import CEILING, wait_until
from tests.raw_server import Peer, RawServer


KEY = "key-of-the-tests-0001"


def test_stats_count_what_happens(server: FakeEvolutionServer) -> None:
    """The counters tell received, delivered, filtered and waiting events apart."""
    client = make_client(server.url, queue_size=0)
    messages = client.subscribe("messages.upsert", maxsize=2)
    with client:
        assert client.stats.connected_since is not None
        assert client.stats.last_event_at is None
        for seq in range(4):
            server.emit("messages.upsert", {"seq": seq})
        server.emit("presence.update", {})
        wait_until(lambda: client.stats.received == 5)
        messages.get(10)
        stats = client.stats

    assert (stats.delivered, stats.dropped, stats.filtered) == (1, 2, 1)
    assert (stats.queue_events, stats.malformed, stats.reconnects) == (1, 0, 0)
    assert stats.queue_bytes > 0
    assert stats.last_event_at is not None
    assert client.stats.connected_since is None


def test_namespaces_show_refusals() -> None:
    """A namespace that is refused for another reason shows the server's words."""

    def refuse(peer: Peer) -> None:
        peer.open()
        peer.consent()
        peer.hear()
        peer.say('44/sales,{"message":"Not allowed"}')
        peer.until_gone()

    with RawServer(refuse) as raw, make_client(raw.url) as client:
        assert client.namespaces == {"/": NamespaceState.JOINED, "/sales": "Not allowed"}


def test_the_root_is_joined_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that refuses / at first is asked again, over the same connection."""
    monkeypatch.setattr(_joins, "_FIRST_RETRY", 0.05)
    consents = threading.Event()

    def refuse(peer: Peer) -> None:
        peer.open()
        peer.hear()
        peer.say('44{"message":"Invalid namespace"}')
        assert peer.consent() == "/sales"
        assert consents.wait(CEILING)
        assert peer.consent() == "/"
        peer.until_gone()

    with RawServer(refuse) as raw, make_client(raw.url) as client:
        assert client.state is ConnectionState.OPEN
        assert client.namespaces == {"/": NamespaceState.PENDING, "/sales": NamespaceState.JOINED}
        consents.set()
        wait_until(lambda: client.namespaces["/"] is NamespaceState.JOINED)

        assert client.namespaces["/sales"] is NamespaceState.JOINED
        assert client.state is ConnectionState.OPEN
        assert client.stats.reconnects == 0


def test_nothing_secret_is_logged(
    server: FakeEvolutionServer, caplog: pytest.LogCaptureFixture
) -> None:
    """At the lowest level of every logger, neither key nor message text appears."""
    caplog.set_level(0)
    server.api_key = KEY
    with make_client(server.url, api_key=KEY) as client:
        server.emit(build.text("the secret text", instance="sales"))
        client.get(10)
        client.emit("sendNode", {"text": "another secret"}, namespace="/")
        server.wait_for_emit()
        server.drop()
        wait_until(lambda: client.stats.reconnects)
    said = "\n".join(record.getMessage() for record in caplog.records)

    assert "connected to" in said
    for secret in (KEY, "secret", ANA):
        assert secret not in said
