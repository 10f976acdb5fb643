"""What the tests of the integrations have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from evolution_ws.testing import FakeEvolutionServer
from tests.integrations.sse_tools import make  # noqa: F401 - a fixture


try:
    from tests.integrations.flask_fixtures import app, evolution  # noqa: F401 - fixtures
except ModuleNotFoundError:  # the tests of Flask skip themselves
    pass


def pytest_configure(config: pytest.Config) -> None:
    """Configure Django once for the process; tests override what they are about."""
    try:
        import django
        from django.conf import settings
    except ModuleNotFoundError:
        return
    if settings.configured:
        return
    settings.configure(
        INSTALLED_APPS=["evolution_ws.integrations.django"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        ALLOWED_HOSTS=["testserver"],
        MIDDLEWARE=[],
        ROOT_URLCONF="tests.integrations.django_urls",
        LOGGING_CONFIG=None,
        USE_TZ=True,
    )
    django.setup()


@pytest.fixture
def django_settings(server: FakeEvolutionServer) -> Iterator[dict[str, Any]]:
    """Point ``EVOLUTION_WS`` at a server, and return it."""
    from django.test import override_settings

    from evolution_ws.integrations.django import close_clients

    entry = {"URL": server.url, "INSTANCE": "sales"}
    with override_settings(EVOLUTION_WS=entry):
        yield entry
        close_clients()
