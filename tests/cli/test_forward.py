"""Forwarding to Celery on the command line; what a forwarder does is tested beside it."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from evolution_ws import Client
from tests.cli.tools import run


ARGUMENTS = ["forward", "--url", "http://127.0.0.1:1", "-i", "sales"]


def test_forward_hands_its_arguments_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The arguments reach the forwarder, with a client that is not connected."""
    integration = pytest.importorskip("evolution_ws.integrations.celery")
    called: list[tuple[str, Client, dict[str, Any]]] = []
    monkeypatch.setattr(
        integration,
        "run_forwarder",
        lambda app, client, **options: called.append((app, client, options)),
    )

    done = run(
        *ARGUMENTS, "-A", "shop.celery", "--task", "shop.handle", "-e", "call,messages.upsert"
    )

    [(app, client, options)] = called
    assert (done.code, app, client.state.value) == (0, "shop.celery", "new")
    assert options == {
        "task": "shop.handle",
        "queue": None,
        "queues": None,
        "routing_key": None,
        "types": ["call", "messages.upsert"],
        "redis": None,
        "shards": 1,
        "name": None,
        "lease": 2.0,
    }
    client.close()


def test_forward_without_an_app() -> None:
    """An app that cannot be found is a usage error."""
    pytest.importorskip("evolution_ws.integrations.celery")

    done = run(*ARGUMENTS, "--app", "nowhere_at_all", "--task", "t")

    assert done.code == 2
    assert "nowhere_at_all" in done.err


def test_forward_without_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Celery, what to install is said."""
    monkeypatch.delitem(sys.modules, "evolution_ws.integrations.celery", raising=False)
    monkeypatch.setitem(sys.modules, "celery", None)

    done = run(*ARGUMENTS, "--app", "shop", "--task", "t")

    assert done.code == 2
    assert "evolution-ws[celery]" in done.err
