"""Server-sent events for the browsers of a Django site."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.http import HttpRequest, StreamingHttpResponse

from .._wish import CONTENT_TYPE, HEADERS, last_event_id, lifetime, wish
from .clients import shared
from .conf import DEFAULT_ALIAS


__all__ = ["event_stream"]


def event_stream(
    request: HttpRequest,
    *types: str,
    instance: str | Iterable[str] | None = None,
    alias: str = DEFAULT_ALIAS,
    serialize: Callable[[Any], Any] | None = None,
    heartbeat: float = 15.0,
    lifetime_seconds: float | None = None,
) -> StreamingHttpResponse:
    """
    Return a response that sends the events to a browser as they come.

    In the page, ``new EventSource(url).onmessage`` gets them, as JSON. All streams of a
    process share one connection and a memory of about a thousand events, with which a browser that
    was away goes on where it was; ``gap`` tells it when that is not possible, ``state`` how
    the connection to the server is. A stream whose browser is too slow is ended.

    The view decides who may look: nothing is checked here.

    Args:
        request:
            The request; its ``Last-Event-ID`` (or ``?lastEventId=``) says where to go on.
        types:
            Names of events, in any spelling; none of them for all.
        instance:
            Name or names of instances; None for all of the alias.
        alias:
            Which entry of ``EVOLUTION_WS``.
        serialize:
            Gets an event and returns what the browser gets, or None to leave it out. It may
            not use the database. None sends ``event.to_dict()``.
        heartbeat:
            Seconds of silence after which a comment is sent.
        lifetime_seconds:
            Seconds after which the stream ends and the browser comes back; None has no limit,
            except on servers that serve one request at a time.

    Raises:
        ImproperlyConfigured: The settings are wrong, or the server is an asynchronous one.

    Threads:
        Any; the stream occupies the server's thread (or greenlet) for as long as it is open.
    """
    if not hasattr(request, "environ"):
        raise ImproperlyConfigured(
            "event_stream() needs a WSGI server (runserver, gunicorn with --threads or gevent): "
            "it blocks, and an ASGI server would wait for its end before sending anything"
        )
    wanted = wish(
        types,
        instance,
        last_event_id(request.headers.get("Last-Event-ID"), request.GET.get("lastEventId")),
        serialize=serialize,
        heartbeat=heartbeat,
        lifetime=lifetime(request.environ, lifetime_seconds),
    )
    frames = shared(alias).broadcaster().stream(wanted)
    response = StreamingHttpResponse(_without_database(frames), content_type=CONTENT_TYPE)
    for name, value in HEADERS.items():
        response[name] = value
    if "django.middleware.gzip.GZipMiddleware" in settings.MIDDLEWARE:
        # It would hold events back until a block of its own is full.
        response["Content-Encoding"] = "identity"
    return response


def _without_database(frames: Iterator[bytes]) -> Iterator[bytes]:
    # What the view asked of the database is answered: a connection must not be kept for hours.
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
    yield from frames
