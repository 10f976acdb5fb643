"""What a request for a stream of events asks for, and what its response needs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from ._ring import Item
from ._select import instance_set, wire_names


_log = logging.getLogger("evolution_ws.stream")

HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    # nginx would otherwise collect events until a buffer is full.
    "X-Accel-Buffering": "no",
}
"""What a response with a stream needs beside its content type."""

CONTENT_TYPE = "text/event-stream"

Serialize = Callable[[Any], Any]


@attrs.frozen(kw_only=True)
class Wish:
    """What one browser wants to see, and how."""

    types: frozenset[str] | None = None
    """Names of events on the wire; None for all."""

    instances: frozenset[str] | None = None
    """Names of instances; None for all."""

    last_id: str | None = None
    """The id of the last event that the browser has seen; None begins with the next one."""

    serialize: Serialize | None = None
    """Gives what is sent of an event, None to leave it out; without it, ``event.to_dict()``."""

    heartbeat: float = 15.0
    """Seconds of silence after which a comment is sent, so that proxies keep the stream open."""

    lifetime: float | None = None
    """Seconds after which the stream ends, and the browser comes back; None has no limit."""

    def accepts(self, item: Item) -> bool:
        """Return whether the browser wants to see *item*."""
        if self.types is not None and item.type not in self.types:
            return False
        return self.instances is None or item.instance in self.instances


def wish(
    types: Iterable[str], instance: str | Iterable[str] | None, last_id: str | None, **how: Any
) -> Wish:
    """Return the :class:`Wish` for names in any spelling; no type, or ``"*"``, means all."""
    names, instances = wire_names(types), instance_set(instance)
    return Wish(types=names, instances=instances, last_id=last_id or None, **how)


def last_event_id(header: str | None, query: str | None) -> str | None:
    """Return the id of the last event a browser has seen: of the header, else of the query."""
    return header or query or None


SINGLE_THREADED_LIFETIME = 5.0
"""Seconds that a stream may hold a server process that serves one request at a time."""

_warned: list[bool] = []


def lifetime(environ: Any, wanted: float | None) -> float | None:
    """
    Return how long a stream may last in the server that *environ* tells of.

    A server with one thread serves nobody else meanwhile, and gunicorn kills a sync worker
    that is busy for 30 seconds: there a stream ends soon, and the browser comes back.
    """
    if environ.get("wsgi.multithread", True):
        return wanted
    if not _warned:
        _warned.append(True)
        _log.warning(
            "this server process serves one request at a time, so each event stream is cut after "
            "%g seconds; give it threads (gunicorn --threads 8) or gevent workers",
            SINGLE_THREADED_LIFETIME,
        )
    return min(SINGLE_THREADED_LIFETIME, wanted or SINGLE_THREADED_LIFETIME)
