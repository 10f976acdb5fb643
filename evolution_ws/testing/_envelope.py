"""The envelope in which every event travels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from ..events import Event
from ._instances import Instance
from ._options import Options


def local_time(utc_offset: float | None) -> str:
    """Return the wall clock as the server writes it: local, and yet with a Z."""
    now = datetime.now(timezone.utc)
    zone = None if utc_offset is None else timezone(timedelta(seconds=utc_offset))
    return now.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"


def make_envelope(
    options: Options,
    url: str,
    instance: Instance,
    event: str,
    data: object,
    extra: Mapping[str, object],
) -> dict[str, object]:
    """Return the envelope of one event, its keys in the server's order."""
    envelope: dict[str, object] = {
        **extra,
        "event": event,
        "instance": instance.name,
        "data": data,
        "server_url": options.server_url or url,
        "date_time": local_time(options.utc_offset),
    }
    if instance.owner is not None:
        envelope["sender"] = instance.owner
    if options.expose_keys:
        envelope["apikey"] = instance.token
    elif not options.v1:
        envelope["apikey"] = None
    return envelope


def from_event(event: Mapping[str, object] | Event) -> dict[str, object]:
    """
    Return the envelope of *event*, which is one already or an ``Event``.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(event, Event):
        return event.to_envelope()
    if isinstance(event, Mapping) and "event" in event:
        return dict(event)
    raise TypeError(f"{type(event).__name__} is neither an event name, an envelope nor an Event")
