"""The settings that an app keeps beside Celery's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ... import ClientConfig, ConfigError


__all__ = ["client_arguments", "forward_settings", "redis_url"]

_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


def client_arguments(app: Any) -> dict[str, Any] | None:
    """
    Return the arguments of a client that the settings of *app* name; None without an address.

    Raises:
        ConfigError: A setting cannot work.
    """
    url = app.conf.get("evolution_url")
    if url is None:
        return None
    if not isinstance(url, str) or not url:
        raise ConfigError("evolution_url has to be an address such as 'https://api.example.com'")
    options = app.conf.get("evolution_options") or {}
    known = {field.name for field in attrs.fields(ClientConfig)}
    if not isinstance(options, Mapping) or not known.issuperset(options):
        raise ConfigError(
            "evolution_options has to be a dict of settings of the client, such as "
            "{'connect_timeout': 5}; there are " + ", ".join(sorted(known))
        )
    return {
        "url": url,
        "instance": app.conf.get("evolution_instance"),
        "api_key": app.conf.get("evolution_api_key"),
        **options,
    }


def redis_url(app: Any) -> str | None:
    """
    Return the address of the Redis that *app* shares: its setting, else a Redis broker.

    Raises:
        ConfigError: The setting is no address of a Redis.
    """
    url = app.conf.get("evolution_redis_url")
    if url is not None:
        return checked_redis_url(url)
    broker = app.conf.broker_write_url or app.conf.broker_url
    # A list of brokers, or Sentinel, has no one address; only a setting can tell.
    is_redis = isinstance(broker, str) and broker.startswith(_REDIS_SCHEMES[:2])
    return broker if is_redis and ";" not in broker else None


def checked_redis_url(url: object) -> str:
    """
    Return *url*.

    Raises:
        ConfigError: It is no address of a Redis.
    """
    if not isinstance(url, str) or not url.startswith(_REDIS_SCHEMES):
        # Not shown: it may hold a password.
        raise ConfigError("the address of a Redis begins with redis://, rediss:// or unix://")
    return url


def forward_settings(app: Any) -> dict[str, Any]:
    """
    Return ``evolution_forward``: the arguments of a forwarder that lives in a worker.

    Raises:
        ConfigError: It is missing, or no dict with a task.
    """
    found = app.conf.get("evolution_forward")
    if not isinstance(found, Mapping) or not found.get("task"):
        raise ConfigError(
            "set evolution_forward to what forward() takes, at least the task: "
            "app.conf.evolution_forward = {'task': 'proj.tasks.handle'}"
        )
    return dict(found)
