"""Tests for :mod:`evolution_ws._client_html`."""

from __future__ import annotations

import attrs
import pytest

from evolution_ws import Client, NamespaceState, Stats
from evolution_ws.testing import FakeEvolutionServer

from .core_tools import make_client
from .helpers import wait_until
from .html_tools import HOSTILE, Page


def page_of(shown: Client | Stats) -> Page:
    """Return what a notebook shows of a client or its stats."""
    return Page(shown._repr_html_())


def test_client(server: FakeEvolutionServer) -> None:
    """A client shows where it is connected, what it listens to, and what came."""
    with make_client(server.url, api_key="secret-key") as client:
        server.emit("messages.upsert", {})
        wait_until(lambda: client.stats.received == 1)
        text = page_of(client).text

    assert server.url in text
    assert [word in text for word in ("open", "sales", "/sales joined", "received1")] == [True] * 4
    assert "secret-key" not in text
    assert "dropped" not in text


def test_unconnected_client() -> None:
    """A client shows before it is connected, and without a name of an instance."""
    text = page_of(make_client("http://127.0.0.1:1", "*")).text

    assert "new" in text
    assert "all instances" in text


def test_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's own words are shown, as text."""
    told = {"/": NamespaceState.JOINED, "/sales": HOSTILE}
    monkeypatch.setattr(Client, "namespaces", property(lambda _: told))

    assert HOSTILE in page_of(make_client("http://127.0.0.1:1")).text


def test_stats() -> None:
    """All counters are shown."""
    text = page_of(Stats(received=1234567)).text

    assert [field.name for field in attrs.fields(Stats) if field.name not in text] == []
    assert "1,234,567" in text
