"""A small Flask site for tests."""

from __future__ import annotations

from collections.abc import Iterator

import flask
import pytest
from flask import Flask

from evolution_ws.integrations.flask import EvolutionWS, event_stream, get_client
from evolution_ws.testing import FakeEvolutionServer


@pytest.fixture
def app(server: FakeEvolutionServer) -> Iterator[Flask]:
    """Return an app with the extension, a view that emits, and one that streams."""
    made = Flask("site")
    made.config.update(TESTING=True, EVOLUTION_URL=server.url, EVOLUTION_INSTANCE="sales")
    extension = EvolutionWS(made)

    @made.get("/emit")
    def emit() -> str:
        get_client().emit("sendNode", {"n": 1}, namespace="/")
        return "sent"

    @made.get("/events")
    def events() -> flask.Response:
        return event_stream("messages.upsert", lifetime_seconds=2)

    yield made
    extension.close(made)


@pytest.fixture
def evolution(app: Flask) -> EvolutionWS:
    """Return the extension of the app."""
    found = app.extensions["evolution_ws"].extension
    assert isinstance(found, EvolutionWS)
    return found
