"""Servers whose answers are set by the test, and clients of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evolution_ws.config import Backoff
from evolution_ws.rest import Api
from tests.rest.rest_server import KEY, RestServer


@pytest.fixture
def server() -> Iterator[RestServer]:
    """Run a server without answers."""
    with RestServer().running() as server:
        yield server


@pytest.fixture
def api(server: RestServer) -> Iterator[Api]:
    """Return a client of a server of version 2."""
    server.answer_sample("GET", "/", "root-v2")
    with Api(server.url, KEY, timeout=20) as api:
        yield api


@pytest.fixture
def api_v1(server: RestServer) -> Iterator[Api]:
    """Return a client of a server of version 1."""
    server.answer_sample("GET", "/", "root-v1.8")
    with Api(server.url, KEY, timeout=20) as api:
        yield api


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore the authorities of whoever runs the tests, and repeat requests at once."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    retries = Backoff(initial=0.001, maximum=0.001, attempts=4)
    monkeypatch.setattr("evolution_ws._rest_transport._RETRIES", retries)
