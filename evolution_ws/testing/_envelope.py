"""The envelope in which every event travels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

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


def from_event(event: object) -> dict[str, object]:
    """
    Return the envelope of *event*, which is one already or an ``Event``.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(event, Mapping):
        if "event" not in event:
            raise TypeError("an envelope needs the key 'event'")
        return {str(key): value for key, value in event.items()}
    try:
        fields = {
            "event": event.type,  # type: ignore[attr-defined]
            "instance": event.instance,  # type: ignore[attr-defined]
            "data": event.data,  # type: ignore[attr-defined]
        }
    except AttributeError:
        name = type(event).__name__
        raise TypeError(f"{name} is neither an event name, an envelope nor an Event") from None
    optional = ("server_url", "date_time", "sender")
    known = {name: getattr(event, name, None) for name in optional}
    return {
        **(getattr(event, "extra", None) or {}),
        **fields,
        **{name: value for name, value in known.items() if value is not None},
        "apikey": getattr(event, "api_key", None),
    }
