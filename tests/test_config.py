"""Settings: defaults, checks, conversions, the environment, the pauses of the backoff."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from evolution_ws import Backoff, ClientConfig, ConfigError, Overflow
from evolution_ws.config import make_config


UTC = timezone.utc


@pytest.fixture
def _no_luck(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let chance take half of what is left to it."""
    monkeypatch.setattr(random, "random", lambda: 0.5)


# Backoff


@pytest.mark.usefixtures("_no_luck")
@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        pytest.param(Backoff(), [0.375, 0.75, 1.5, 3.0, 6.0, 12.0, 22.5, 22.5], id="default"),
        pytest.param(Backoff(jitter=0), [0.5, 1, 2, 4, 8, 16, 30, 30], id="no jitter"),
        pytest.param(Backoff(jitter=1, maximum=2), [0.25, 0.5, 1, 1, 1, 1, 1, 1], id="all jitter"),
        pytest.param(Backoff(jitter=0, factor=1), [0.5] * 8, id="constant"),
        pytest.param(Backoff(jitter=0, initial=9, maximum=3), [3.0] * 8, id="maximum first"),
        pytest.param(Backoff(jitter=0, initial=1, attempts=3), [1, 2], id="three attempts"),
        pytest.param(Backoff(attempts=1), [], id="one attempt"),
    ],
)
def test_delays_are_these(backoff: Backoff, delays: list[float]) -> None:
    """The pauses grow by the factor up to the maximum; the first attempt needs none."""
    assert list(islice(backoff.delays(), 8)) == delays


@pytest.mark.parametrize("luck", [0.0, 0.999999])
def test_jitter_only_shortens_a_pause(monkeypatch: pytest.MonkeyPatch, luck: float) -> None:
    """No pause is longer than the maximum, none is negative."""
    monkeypatch.setattr(random, "random", lambda: luck)

    delays = list(islice(Backoff(jitter=1).delays(), 20))

    assert all(0 <= delay <= 30 for delay in delays)


def test_each_use_of_a_backoff_starts_from_the_beginning() -> None:
    """A backoff is a setting and keeps no state."""
    backoff = Backoff(jitter=0)

    assert list(islice(backoff.delays(), 3)) == list(islice(backoff.delays(), 3))


@pytest.mark.parametrize(
    "options",
    [
        {"initial": 0},
        {"initial": -1},
        {"initial": float("nan")},
        {"maximum": float("inf")},
        {"factor": "2"},
        {"maximum": 0},
        {"factor": 0},
        {"jitter": -0.1},
        {"jitter": 1.1},
        {"attempts": 0},
        {"attempts": -1},
    ],
    ids=str,
)
def test_a_backoff_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    """The error names the field."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        Backoff(**options)


# ClientConfig


def test_the_defaults_are_documented_values() -> None:
    """A client without settings behaves as the documentation says."""
    config = ClientConfig()

    assert (config.queue_size, config.queue_bytes) == (10_000, 64 * 1024 * 1024)
    assert config.overflow is Overflow.DROP_OLDEST
    assert (config.connect_timeout, config.close_timeout, config.put_timeout) == (10.0, 5.0, 5.0)
    assert (config.verify, config.proxy, config.backfill, config.durable) == (
        True,
        "env",
        True,
        None,
    )


@pytest.mark.parametrize(
    "options",
    [
        {"connect_timeout": 0},
        {"close_timeout": -1},
        {"queue_size": -1},
        {"queue_bytes": 0},
        {"put_timeout": 0},
        {"callback_workers": 0},
        {"max_event_bytes": 0},
        {"overflow": "explode"},
        {"since": "yesterday"},
        {"since": "2026-01-02T03:04:05"},
        {"since": datetime(2026, 1, 2)},
        {"durable_bytes": 0},
        {"connect_timeout": float("inf")},
        {"close_timeout": 1e12},
        {"put_timeout": "5"},
        {"queue_bytes": None},
        {"queue_size": True},
    ],
    ids=str,
)
def test_a_setting_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    """The error names the field and what it has to be."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        ClientConfig(**options)


@pytest.mark.parametrize(
    ("value", "policy"),
    [
        ("drop_oldest", Overflow.DROP_OLDEST),
        ("RAISE", Overflow.RAISE),
        (Overflow.BLOCK, Overflow.BLOCK),
    ],
)
def test_overflow_is_given_as_a_member_or_by_name(value: Any, policy: Overflow) -> None:
    """Both spellings mean the same."""
    assert ClientConfig(overflow=value).overflow is policy


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-02T03:04:05Z",
        "2026-01-02T00:04:05-03:00",
        datetime(2026, 1, 2, 0, 4, 5, tzinfo=timezone(timedelta(hours=-3))),
    ],
    ids=str,
)
def test_since_becomes_a_time_in_utc(value: Any) -> None:
    """Whatever the zone, the moment is the same."""
    config = ClientConfig(since=value)

    assert config.since == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert config.since is not None
    assert config.since.tzinfo is UTC


def test_durable_is_given_as_a_path() -> None:
    """A path becomes a str."""
    assert ClientConfig(durable=Path("dir") / "inbox.db").durable == "dir/inbox.db"


def test_headers_are_copied() -> None:
    """What the user does with the mapping later does not matter."""
    headers = {"X-A": "1"}
    config = ClientConfig(headers=headers)

    headers["X-A"] = "2"

    assert config.headers == {"X-A": "1"}


def test_the_representation_hides_headers_and_proxies() -> None:
    """Both may hold credentials."""
    config = ClientConfig(headers={"X-Key": "secret"}, proxy="http://user:secret@proxy:8080")

    assert "secret" not in repr(config)
    assert "proxy='***'" in repr(config)


@pytest.mark.parametrize(("proxy", "shown"), [("env", "proxy='env'"), (None, "proxy=None")])
def test_the_representation_shows_where_the_proxy_comes_from(proxy: str | None, shown: str) -> None:
    """What is no URL is no secret."""
    assert shown in repr(ClientConfig(proxy=proxy))


def test_options_win_over_a_config() -> None:
    """A keyword replaces one field of the configuration that was given."""
    config = make_config(ClientConfig(queue_size=5, put_timeout=2), {"queue_size": 7})

    assert (config.queue_size, config.put_timeout) == (7, 2)
    assert make_config(None, {"queue_size": 7}) == ClientConfig(queue_size=7)
    assert make_config(config, {}) == config


@pytest.mark.parametrize("config", [None, ClientConfig()], ids=["none", "given"])
def test_an_unknown_option_is_refused(config: ClientConfig | None) -> None:
    """The error lists what there is."""
    with pytest.raises(ConfigError, match=r"unknown option colour, qeue; there are auto_ack, .*"):
        make_config(config, {"qeue": 1, "colour": 2})
