"""The objects of the REST interface, in the shapes of version 1 and version 2."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any

import attrs

from .event_types import GLOBAL_ONLY, config_name
from .exceptions import ConfigError


# The server derives GROUPS_UPDATE from the event's name, but its list of allowed names
# holds GROUP_UPDATE: no setting of an instance delivers the event.
UNDELIVERABLE = frozenset(config_name(name) for name in GLOBAL_ONLY)

# The server waits this long itself; more is milliseconds by mistake.
_LONGEST_DELAY = 300.0


@attrs.frozen
class ServerInfo:
    """What a server says about itself."""

    version: str
    """Such as ``2.3.7``."""

    client_name: str | None
    """Name of the installation; None where the server has none."""

    raw: Mapping[str, Any] = attrs.field(repr=False)
    """The whole answer."""

    @property
    def is_v1(self) -> bool:
        """Return whether the server belongs to the first generation (1.x)."""
        return self.version.lstrip("v").partition(".")[0] == "1"


@attrs.frozen
class WebsocketSettings:
    """Which events of an instance its namespace gets."""

    enabled: bool
    """Whether anything is sent at all."""

    events: tuple[str, ...]
    """Names in the form of the settings, such as ``MESSAGES_UPSERT``."""


@attrs.frozen
class InstanceInfo:
    """One instance of a server."""

    name: str
    """The name that routes and namespaces use."""

    state: str | None
    """``open``, ``connecting`` or ``close``; None where the server does not say."""

    owner: str | None = attrs.field(repr=False)
    """The address of the WhatsApp account; None before the first connection."""

    profile_name: str | None = attrs.field(repr=False)
    """The display name of the account."""

    integration: str | None
    """The channel, such as ``WHATSAPP-BAILEYS``; None on servers of version 1."""

    websocket: WebsocketSettings | None
    """The stored setting; None when there is none, and on servers of version 1."""

    raw: Mapping[str, Any] = attrs.field(repr=False)
    """The server's own object. It may hold the instance's token."""


@attrs.frozen
class History:
    """The stored messages of a window of time."""

    records: list[dict[str, Any]] = attrs.field(repr=False)
    """The server's own objects, oldest first."""

    total: int
    """How many there are; more than there are *records* when the limit cut some off."""

    server_time: datetime | None
    """The server's clock in UTC when it answered; None when it did not say."""

    is_complete: bool
    """Whether *records* is all that the server has stored for the window."""


def server_info_of(value: object) -> ServerInfo | None:
    """Return what a server says about itself in *value*; None when it names no version."""
    if not isinstance(value, dict) or not isinstance(value.get("version"), str):
        return None
    name = value.get("clientName")
    return ServerInfo(value["version"], name if isinstance(name, str) else None, value)


def settings_of(value: object) -> WebsocketSettings | None:
    """Return the websocket setting in *value*, whichever version wrote it; None without one."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("websocket"), dict):
        return settings_of(value["websocket"])
    if "enabled" not in value:
        return None
    events = value.get("events")
    names = (str(name) for name in events) if isinstance(events, list) else ()
    return WebsocketSettings(bool(value["enabled"]), tuple(names))


def instances_of(value: object) -> list[InstanceInfo]:
    """Return the instances in *value*: a list, or one object; version 1 wraps each once more."""
    rows = value if isinstance(value, list) else [value]
    return [_instance(row.get("instance", row)) for row in rows if isinstance(row, dict)]


def _instance(row: Mapping[str, Any]) -> InstanceInfo:
    def text(*names: str) -> str | None:
        return next((row[name] for name in names if isinstance(row.get(name), str)), None)

    return InstanceInfo(
        name=text("name", "instanceName") or "",
        state=text("connectionStatus", "status"),
        owner=text("ownerJid", "owner"),
        profile_name=text("profileName"),
        integration=text("integration"),
        websocket=settings_of(row.get("Websocket")),
        raw=row,
    )


def setting_name(event: str | Enum) -> str:
    """
    Return the name of *event* in the form of the settings, whatever its spelling.

    Raises:
        ConfigError: It is no name.
    """
    name = event.value if isinstance(event, Enum) else event
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"an event's name has to be a str that is not empty, not {name!r}")
    return config_name(name)


def setting_names(events: Iterable[str | Enum] | str | None) -> tuple[str, ...]:
    """Return the names of *events*, each once; nothing for None and for ``"*"``."""
    given = [events] if isinstance(events, (str, Enum)) else [*(events or ())]
    return () if "*" in given else tuple(dict.fromkeys(setting_name(name) for name in given))


def milliseconds(moment: datetime) -> int:
    """
    Return *moment* in milliseconds since 1970.

    Raises:
        ConfigError: It has no time zone.
    """
    if moment.tzinfo is None:
        raise ConfigError("start and end need a time zone, such as datetime.now(timezone.utc)")
    # The server takes 0 for "no limit", and then ignores the other limit as well.
    return max(1, math.floor(moment.timestamp() * 1000))


def timestamp_of(record: Mapping[str, Any]) -> int | None:
    """Return the whole seconds since 1970 of a stored message; None without them."""
    value = record.get("messageTimestamp")
    if isinstance(value, Mapping):
        value = value.get("low")
    try:
        return int(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def within(records: Iterable[Any], start: int, end: int) -> list[dict[str, Any]]:
    """Return the *records* between two times in milliseconds, oldest first."""
    kept = [record for record in records if isinstance(record, dict)]
    kept = [
        r for r in kept if (at := timestamp_of(r)) is None or start // 1000 <= at <= end // 1000
    ]
    # The server sorts newest first: turned round, what carries the same second keeps its order.
    kept.reverse()
    kept.sort(key=lambda record: timestamp_of(record) or 0)
    return kept


def address_filter(
    remote_jid: str | None, message_id: str | None, *, is_v1: bool
) -> dict[str, str]:
    """Return the filter on a message's key for one chat or one message."""
    key: dict[str, str] = {}
    if message_id is not None:
        key["id"] = message_id
    if remote_jid is not None:
        jid = remote_jid if "@" in remote_jid else f"{remote_jid}@s.whatsapp.net"
        key["remoteJid"] = jid
        if not is_v1:
            # The server joins the two by "or": a message is stored under either address.
            key["remoteJidAlt"] = jid
    return key


def delay_seconds(delay: float | None) -> float:
    """
    Return *delay*, 0 for None.

    Raises:
        ConfigError: It is negative or longer than five minutes.
    """
    if delay is not None and not 0 <= delay <= _LONGEST_DELAY:
        raise ConfigError(f"delay is in seconds, from 0 to {_LONGEST_DELAY:g}, not {delay!r}")
    return delay or 0.0


def text_body(number: str, text: str, options: Mapping[str, Any], *, is_v1: bool) -> dict[str, Any]:
    """Return the body that sends *text*; *options* carry the names of version 2."""
    given = {name: value for name, value in options.items() if value is not None}
    if not is_v1:
        return {"number": number, "text": text, **given}
    mentions = {
        new: given.pop(old)
        for old, new in {"mentionsEveryOne": "everyOne", "mentioned": "mentioned"}.items()
        if old in given
    }
    if mentions:
        given["mentions"] = mentions
    return {"number": number, "textMessage": {"text": text}, "options": given}


def raw_message(message: object) -> dict[str, Any]:
    """
    Return the ``key`` of *message*, and its ``message`` where it is known.

    Args:
        message:
            The id of a message; its dict, or its key's dict, as the server sends
            them; an object with such a dict as ``raw`` or ``data``; or one with ``id``.

    Raises:
        ConfigError: It names no message.
    """
    if isinstance(message, str):
        return _raw_of({"id": message})
    # An event has an id of its own; the one in its data is its message's.
    for raw in (message, getattr(message, "raw", None), getattr(message, "data", None)):
        if isinstance(raw, Mapping):
            return _raw_of(raw)
    return _raw_of({"id": getattr(message, "id", None)})


def _raw_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    key = raw.get("key", raw)
    if not isinstance(key, Mapping) or not isinstance(key.get("id"), str) or not key["id"]:
        raise ConfigError("name the message by its id, or by a dict or an object with its key")
    found: dict[str, Any] = {"key": dict(key)}
    if isinstance(raw.get("message"), Mapping):
        found["message"] = raw["message"]
    return found


def plain_json(value: Any) -> Any:
    """Return *value* with its bytes as base64, the form in which the server stores them."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {key: plain_json(item) for key, item in value.items()}
    return [plain_json(item) for item in value] if isinstance(value, list) else value


def media_of(value: object) -> bytes | None:
    """Return the decoded bytes of an answer with media; None when it holds none."""
    text = value.get("base64") if isinstance(value, dict) else None
    if not isinstance(text, str) or not text:
        return None
    try:
        return base64.b64decode(text.rpartition("base64,")[2], validate=True)
    except ValueError:
        return None


def quoted_body(message: object) -> dict[str, Any]:
    """
    Return the ``quoted`` object for *message*.

    The server looks the message up by its key; plain text goes along, so that it can be
    quoted on servers that store nothing.
    """
    found = raw_message(message)
    text = found.pop("message", {}).get("conversation")
    return {**found, "message": {"conversation": text}} if isinstance(text, str) else found
