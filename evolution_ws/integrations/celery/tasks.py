"""Tasks that handle an event once, however often a forwarder had to send it."""

from __future__ import annotations

import functools
import logging
from typing import Any

import redis
from celery import Task
from celery.exceptions import Ignore

from .ledger import connect_redis
from .settings import redis_url


__all__ = ["COPY_HEADER", "EventTask"]

_log = logging.getLogger("evolution_ws.forward")

COPY_HEADER = "evolution_copy"
"""Header of a task's message that tells two copies of one event apart."""

_TIMEOUT = 5.0

# A worker's Redis is looked for again after this many seconds.
_RETRY_AFTER = 2.0


class EventTask(Task):  # type: ignore[misc] # Celery ships no types
    """
    Base of tasks that are to handle each event once.

    Example::

        @app.task(base=EventTask)
        def handle(event):
            print(event["type"], event["instance"])

    A forwarder that is killed between giving an event to the broker and noting that makes
    its successor send the event again. The first copy that a worker starts is the one that
    counts; others are dropped. A task that is retried, or delivered again because its worker
    died (``acks_late``), is the same copy and runs.

    It needs a Redis: that of the setting ``evolution_redis_url``, or the broker when it is
    one. Without either, and for tasks that nobody forwarded, it is a plain task.
    """

    abstract = True

    expiry: float = 21_600.0
    """Seconds for which the copies of an event are known; settable as ``@app.task(expiry=…)``."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        copy = self.request.get(COPY_HEADER) if not self.request.called_directly else None
        if copy is not None and not self._is_first(str(copy)):
            _log.info("dropped a second copy of %s", self.request.id)
            raise Ignore
        if self.request.called_directly:
            return super().__call__(*args, **kwargs)
        # Past Celery's own __call__, which would hide this request behind an empty one.
        return self.run(*args, **kwargs)

    def _is_first(self, copy: str) -> bool:
        url = redis_url(self.app)
        if url is None:
            return True
        key = f"evolution-ws:claim:{self.name}:{self.request.id}"
        try:
            known = _redis(url)
            if known.set(key, copy, nx=True, px=max(1, int(self.expiry * 1000))):
                return True
            owner = known.get(key)
        except redis.RedisError as exc:
            return self._runs_without_redis(exc)
        return owner in (copy, None)

    def _runs_without_redis(self, exc: Exception) -> bool:
        """Put the task off; return True where not even that is possible."""
        name, why = self.request.id, type(exc).__name__
        # Not retry(): this is no failure of the task, so its count of retries stays as it is.
        again = self.signature_from_request(retries=self.request.retries, countdown=_RETRY_AFTER)
        try:
            again.apply_async()
        except Exception:
            _log.warning("Redis is away (%s): %s runs, and may have run before", why, name)
            return True
        _log.warning("Redis is away (%s): %s waits, since it may have run before", why, name)
        raise Ignore


@functools.lru_cache(maxsize=8)
def _redis(url: str) -> Any:
    # Its pool notices forks by itself.
    return connect_redis(url, _TIMEOUT)
