"""Settings from environment variables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import attrs
import pytest

from evolution_ws import Backoff, Client, ClientConfig, ConfigError, Overflow
from evolution_ws.config import arguments_from_env, config_from_env


UTC = timezone.utc

FROM_ENVIRONMENT: dict[str, tuple[str, Any]] = {
    "backoff": ("", Backoff()),  # of several variables, tested below
    "connect_timeout": ("2.5", 2.5),
    "close_timeout": ("3", 3.0),
    "queue_size": ("5", 5),
    "queue_bytes": ("1000", 1000),
    "overflow": ("Block", Overflow.BLOCK),
    "put_timeout": ("0.5", 0.5),
    "callback_workers": ("4", 4),
    "global_events": ("true", True),
    "backfill": ("no", False),
    "since": ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    "durable": ("inbox.db", "inbox.db"),
    "durable_bytes": ("7000", 7000),
    "auto_ack": ("0", False),
    "configure": ("on", True),
    "verify": ("/path/ca.pem", "/path/ca.pem"),
    "cert": ("/path/cert.pem", "/path/cert.pem"),
    "proxy": ("http://proxy:3128", "http://proxy:3128"),
    "origin": ("https://app.example.com", "https://app.example.com"),
    "max_event_bytes": ("99", 99),
}
# They hold code, or more than one value.
NOT_FROM_ENVIRONMENT = {"callback_context", "on_error", "headers"}


def test_every_field_can_come_from_the_environment() -> None:
    """A new field is either read or named as one that is not."""
    fields = {field.name for field in attrs.fields(ClientConfig)}

    assert fields == set(FROM_ENVIRONMENT) | NOT_FROM_ENVIRONMENT


@pytest.mark.parametrize("name", FROM_ENVIRONMENT)
def test_a_field_is_read_from_its_variable(name: str) -> None:
    """The variable has the field's name in capitals, and blanks around its value do not matter."""
    text, expected = FROM_ENVIRONMENT[name]

    found = config_from_env("EVO_", {f"EVO_{name.upper()}": f" {text} "})

    assert getattr(ClientConfig(**found), name) == expected
    assert set(found) == ({name} if text else set())


def test_all_fields_are_read_together() -> None:
    """One environment sets everything; what it does not know stays as it is."""
    environ = {f"EVO_{name.upper()}": text for name, (text, _) in FROM_ENVIRONMENT.items()}

    found = config_from_env("EVO_", {**environ, "EVO_UNKNOWN": "1", "OTHER_QUEUE_SIZE": "1"})

    expected = {name: value for name, (text, value) in FROM_ENVIRONMENT.items() if text}
    assert {name: getattr(ClientConfig(**found), name) for name in found} == expected


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("GLOBAL_EVENTS", "auto", None),
        ("GLOBAL_EVENTS", "None", None),
        ("GLOBAL_EVENTS", "FALSE", False),
        ("BACKFILL", "Yes", True),
        ("VERIFY", "off", False),
        ("VERIFY", "1", True),
        ("CERT", "c.pem, k.pem", ("c.pem", "k.pem")),
        ("PROXY", "None", None),
        ("PROXY", "env", "env"),
    ],
)
def test_words_are_understood(variable: str, text: str, expected: Any) -> None:
    """Flags, paths and pairs have the usual spellings."""
    assert config_from_env("E_", {f"E_{variable}": text}) == {variable.lower(): expected}


@pytest.mark.parametrize(
    ("environ", "backoff"),
    [
        ({"E_BACKOFF_INITIAL": "1"}, Backoff(initial=1)),
        ({"E_BACKOFF_MAXIMUM": "5", "E_BACKOFF_ATTEMPTS": "3"}, Backoff(maximum=5, attempts=3)),
        ({"E_BACKOFF_FACTOR": "3", "E_BACKOFF_JITTER": "0"}, Backoff(factor=3, jitter=0)),
    ],
    ids=["initial", "maximum and attempts", "factor and jitter"],
)
def test_the_backoff_is_read_from_a_variable_for_each_field(
    environ: dict[str, str], backoff: Backoff
) -> None:
    """What is not set keeps its default."""
    assert config_from_env("E_", environ) == {"backoff": backoff}


def test_an_empty_variable_is_as_good_as_none() -> None:
    """Compose files set variables to nothing."""
    environ = {"E_QUEUE_SIZE": "", "E_BACKOFF_ATTEMPTS": " ", "E_VERIFY": "  "}

    assert config_from_env("E_", environ) == {}


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("QUEUE_SIZE", "many"),
        ("CONNECT_TIMEOUT", "1s"),
        ("BACKFILL", "maybe"),
        ("GLOBAL_EVENTS", "sometimes"),
        ("BACKOFF_ATTEMPTS", "1.5"),
        ("BACKOFF_INITIAL", "soon"),
    ],
)
def test_a_value_that_does_not_fit_is_named(variable: str, text: str) -> None:
    """The error tells the variable, not the value, which may be secret."""
    with pytest.raises(ConfigError, match=f"^E_{variable}: ") as caught:
        config_from_env("E_", {f"E_{variable}": text})

    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {"url": "", "instance": None, "api_key": None}),
        (
            {"E_URL": " http://h ", "E_INSTANCE": "a, b,,", "E_API_KEY": "k"},
            {"url": "http://h", "instance": ["a", "b"], "api_key": "k"},
        ),
        (
            {"E_INSTANCE": "*", "E_API_KEY": "", "E_QUEUE_SIZE": "3"},
            {"url": "", "instance": None, "api_key": None, "queue_size": 3},
        ),
    ],
    ids=["nothing", "everything", "all instances"],
)
def test_the_arguments_of_a_client_are_read(
    environ: dict[str, str], expected: dict[str, Any]
) -> None:
    """URL, instances and key stand beside the settings."""
    assert arguments_from_env("E_", environ) == expected


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda environ: Client.from_env(environ=environ), id="given"),
        pytest.param(lambda environ: Client.from_env(), id="process"),
    ],
)
def test_from_env_makes_a_client(
    make: Callable[[dict[str, str]], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables are those of the process unless others are given."""
    environ = {"EVOLUTION_URL": "wss://h/sales", "EVOLUTION_QUEUE_SIZE": "7"}
    for name, text in environ.items():
        monkeypatch.setenv(name, text)

    assert repr(make(environ)) == "<Client https://h (sales) new>"


def test_from_env_lets_arguments_win() -> None:
    """What is written in the program is meant."""
    environ = {"E_URL": "http://h", "E_INSTANCE": "a"}

    client = Client.from_env("E_", environ, instance="b", queue_size=3)

    assert repr(client) == "<Client http://h (b) new>"


def test_from_env_without_a_url_says_what_to_set() -> None:
    """The variable is named with its prefix."""
    with pytest.raises(ConfigError, match="set E_URL to the server's address"):
        Client.from_env("E_", {})
