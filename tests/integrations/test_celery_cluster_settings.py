"""What a cluster refuses."""

from __future__ import annotations

from typing import Any

import pytest

from evolution_ws import ConfigError
from evolution_ws.integrations.celery import Cluster


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"redis_url": "http://user:geheim@host"}, "begins with redis://"),
        ({"redis_url": None}, "begins with redis://"),
        ({"shards": 0}, "shards has to be a number from 1 to 1024, not 0"),
        ({"shards": "8"}, "shards has to be a number from 1 to 1024, not '8'"),
        ({"lease": 0.1}, "lease has to be between 0.2 and 3600 seconds, not 0.1"),
        ({"expiry": 5}, "expiry has to be at least 60 seconds, not 5"),
    ],
    ids=["scheme", "no address", "no shard", "text", "lease", "expiry"],
)
def test_a_setting_that_cannot_work(changes: dict[str, Any], problem: str) -> None:
    """Each is a sentence; no password is in it."""
    with pytest.raises(ConfigError) as caught:
        Cluster(**{"redis_url": "redis://localhost", **changes})

    assert problem in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_no_password_is_shown() -> None:
    """The address of the Redis is not printed."""
    assert "geheim" not in repr(Cluster(redis_url="rediss://:geheim@host/0"))
