"""Which events the broker has, for all forwarders of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


__all__ = ["Ledger", "connect_redis"]


def connect_redis(url: str, timeout: float) -> redis.Redis:
    """Return a connection to Redis, of which each call ends within *timeout* seconds."""
    # A socket that waits for ever would hold the lease's renewal up, and with it everything.
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        # Once, for a connection that was closed while it was idle; what is called can be repeated.
        retry=Retry(NoBackoff(), 1),
        decode_responses=True,
        # Ids hold names of instances, which are anything that JSON carries.
        encoding_errors="surrogatepass",
        protocol=2,  # understood by every Redis and by what claims to be one
    )


class Ledger:
    """
    A set of ids in Redis, of which each is forgotten after a while.

    Args:
        connection:
            The Redis.
        prefix:
            What its keys begin with.
        expiry:
            Seconds after which an id is forgotten.
    """

    def __init__(self, connection: redis.Redis, prefix: str, expiry: float) -> None:
        self._redis: Any = connection
        self._prefix = f"{prefix}:sent:"
        self._milliseconds = max(1, int(expiry * 1000))

    def sent(self, ids: Sequence[str]) -> set[str]:
        """Return those of *ids* that the broker has."""
        if not ids:
            return set()
        found = self._redis.mget([self._prefix + name for name in ids])
        return {name for name, value in zip(ids, found, strict=True) if value is not None}

    def add(self, ids: Iterable[str]) -> None:
        """Note that the broker has *ids*."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in ids:
                pipeline.set(self._prefix + name, 1, px=self._milliseconds)
            pipeline.execute()
