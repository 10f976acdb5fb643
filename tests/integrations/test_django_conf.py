"""The setting EVOLUTION_WS, its checks and the import without Django."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest


pytest.importorskip("django")

from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

from evolution_ws.integrations.django.checks import check_settings
from evolution_ws.integrations.django.conf import connection
from tests.integrations.web_tools import import_copy


GOOD: dict[str, Any] = {"URL": "https://api.example.com", "INSTANCE": "sales"}


def problems(value: Any) -> list[tuple[str, str, str]]:
    """Return id, message and hint of what the checks say about *value*."""
    with override_settings(EVOLUTION_WS=value):
        return [(str(p.id), p.msg, str(p.hint)) for p in check_settings()]


@pytest.mark.parametrize(
    "value",
    [
        GOOD,
        {"default": GOOD, "support": {"URL": "wss://api.example.com/support"}},
        {**GOOD, "EVENTS": ["MESSAGES_UPSERT", "*"], "DURABLE": "inbox.db", "API_KEY": ""},
        {**GOOD, "EVENTS": "call", "OPTIONS": {"connect_timeout": 3}, "API_KEY": lambda: "k"},
        {"URL": "http://evolution:8080", "API_KEY": "secret"},
        {"URL": "http://127.0.0.1:8080", "API_KEY": "secret"},
    ],
    ids=["flat", "aliases", "listener", "options", "own-network", "loopback"],
)
def test_sound_settings_have_no_problem(value: Any) -> None:
    """Both forms of the setting pass the checks."""
    assert problems(value) == []


@pytest.mark.parametrize(
    ("value", "number", "said", "hint"),
    [
        (None, "E001", "the setting EVOLUTION_WS is missing", "Such as: EVOLUTION_WS = {"),
        ([], "E001", "has to be a dict, not list", "Such as"),
        ({}, "E001", "has to be a dict, not dict", "Such as"),
        ({"default": "https://x"}, "E002", "['default'] has to be a dict with a 'URL'", "None"),
        ({**GOOD, "KEY": 1}, "E002", "unknown key 'KEY'", "there are API_KEY, DURABLE"),
        ({"INSTANCE": "a"}, "E002", "needs a 'URL' such as 'https://api.example.com'", "None"),
        ({**GOOD, "EVENTS": 5}, "E002", "['EVENTS'] has to be a list of names", "None"),
        ({**GOOD, "EVENTS": [5]}, "E002", "['EVENTS'] has to be a list of names", "None"),
        ({**GOOD, "OPTIONS": 5}, "E002", "['OPTIONS'] has to be a dict, not int", "None"),
        ({**GOOD, "OPTIONS": {"x": 1}}, "E002", "unknown option 'x'", "there are auto_ack"),
        ({**GOOD, "OPTIONS": {"durable": "f"}}, "E002", "must not have 'durable'", "use DURABLE"),
        ({"URL": "ftp://x"}, "E003", "EVOLUTION_WS['default']: ", ""),
        ({**GOOD, "INSTANCE": "a,b"}, "E003", "EVOLUTION_WS['default']: ", ""),
        ({**GOOD, "API_KEY": " pad "}, "E003", "the api key is empty or holds", "look for spaces"),
        ({**GOOD, "OPTIONS": {"connect_timeout": -1}}, "E003", "connect_timeout", "See"),
        ({**GOOD, "OPTIONS": {"connect_timeout": "x"}}, "E003", "'default'", "See"),
        ({**GOOD, "EVENTS": ["mesages.upsert"]}, "W001", "'mesages.upsert'", "'messages.upsert'?"),
        ({**GOOD, "EVENTS": ["zzzz"]}, "W001", "'zzzz'", "See evolution_ws.EventType."),
        ({"URL": "http://a.example.com", "API_KEY": "k"}, "W002", "in clear text", "https://"),
    ],
    ids=[
        "missing",
        "no-dict",
        "empty",
        "entry-no-dict",
        "unknown-key",
        "no-url",
        "events-number",
        "events-of-numbers",
        "options-number",
        "unknown-option",
        "durable-option",
        "scheme",
        "instance",
        "key",
        "range",
        "type",
        "event-typo",
        "event-unknown",
        "clear-text",
    ],
)
def test_wrong_settings_are_told_with_a_hint(value: Any, number: str, said: str, hint: str) -> None:
    """Each mistake has an id, a sentence and what to do."""
    found = problems(value)

    assert [f"evolution_ws.{number}"] == [problem[0] for problem in found]
    assert said in found[0][1]
    assert hint in found[0][2]


def test_checks_never_show_the_key() -> None:
    """A wrong key is told without being repeated."""
    found = problems({**GOOD, "API_KEY": "S3CRET\n", "OPTIONS": {}})

    assert found
    assert "S3CRET" not in str(found)


def test_checks_are_run_by_manage_py_check() -> None:
    """``manage.py check`` fails on wrong settings."""
    with (
        override_settings(EVOLUTION_WS={"URL": ""}),
        pytest.raises(SystemCheckError, match=r"evolution_ws\.E002"),
    ):
        call_command("check")


def test_connection_reads_an_alias() -> None:
    """All keys arrive, and the key stays out of the representation."""
    entry = {
        **GOOD,
        "API_KEY": "S3CRET",
        "EVENTS": ["call"],
        "DURABLE": "inbox.db",
        "OPTIONS": {"origin": "https://example.com"},
    }
    with override_settings(EVOLUTION_WS={"default": GOOD, "other": entry}):
        found = connection("other")

    assert found.alias == "other"
    assert found.url == "https://api.example.com"
    assert found.api_key == "S3CRET"
    assert found.events == ("call",)
    assert found.durable == "inbox.db"
    assert found.options == {"origin": "https://example.com"}
    assert "S3CRET" not in repr(found)


@pytest.mark.parametrize(
    ("value", "said"),
    [({"a": GOOD, "b": GOOD}, "no alias 'default'; it has a, b"), ({"URL": 5}, "needs a 'URL'")],
    ids=["alias", "entry"],
)
def test_wrong_settings_are_improperly_configured(value: Any, said: str) -> None:
    """Using a wrong setting says the same as the checks."""
    with (
        override_settings(EVOLUTION_WS=value),
        pytest.raises(ImproperlyConfigured, match=said),
    ):
        connection()


def test_missing_django_is_told_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the framework the import says what to install."""
    monkeypatch.setitem(sys.modules, "django", None)

    with pytest.raises(ModuleNotFoundError, match=r"pip install 'evolution-ws\[django\]'"):
        import_copy("django/__init__.py")


def test_import_needs_no_settings() -> None:
    """The package can be imported before Django is configured, and imports no models."""
    code = "import evolution_ws.integrations.django as app; print(app.get_client.__name__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout == "get_client\n"
