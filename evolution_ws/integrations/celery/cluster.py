"""Several forwarders of the same events, of which one at a time sends each."""

from __future__ import annotations

import attrs

from ... import ConfigError
from .settings import checked_redis_url


__all__ = ["Cluster"]


@attrs.frozen(kw_only=True)
class Cluster:
    """
    What the forwarders of the same events have in common.

    All of them receive everything; for each shard one of them holds a lease in Redis and
    sends, the others remember what it has not sent yet. When its lease ends, because it
    was stopped, killed, frozen or cut off, another one goes on where it was.

    Example::

        forward(app, client, task="proj.tasks.handle", cluster=Cluster(redis_url="redis://…"))

    All forwarders need the same *name* and *shards*; each needs a durable inbox of its own
    if nothing may be lost although all of them die.
    """

    redis_url: str = attrs.field(repr=False)
    """Address of the Redis: ``redis://``, ``rediss://`` or ``unix://``."""

    name: str | None = None
    """Forwarders with one name are one cluster; None takes that of the task."""

    shards: int = attrs.field(default=1)
    """Parts that the instances are spread over: 1 makes one forwarder send and the others
    stand by; more, some ten for each forwarder, let all of them send."""

    lease: float = attrs.field(default=2.0)
    """Seconds that a lease lasts, which is renewed all the time: how long nobody sends after a
    forwarder was killed. A forwarder that is busy for longer than that loses its lease."""

    expiry: float = attrs.field(default=21_600.0)
    """Seconds for which Redis remembers that an event was sent, some 150 bytes each."""

    @redis_url.validator
    def _check_redis_url(self, _: object, value: object) -> None:
        checked_redis_url(value)

    @shards.validator
    def _check_shards(self, _: object, value: object) -> None:
        if not isinstance(value, int) or not 1 <= value <= 1024:
            raise ConfigError(f"shards has to be a number from 1 to 1024, not {value!r}")

    @lease.validator
    def _check_lease(self, _: object, value: float) -> None:
        if not 0.2 <= value <= 3600:
            raise ConfigError(f"lease has to be between 0.2 and 3600 seconds, not {value!r}")

    @expiry.validator
    def _check_expiry(self, _: object, value: float) -> None:
        if not value >= 60:
            raise ConfigError(f"expiry has to be at least 60 seconds, not {value!r}")
