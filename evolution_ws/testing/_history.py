"""The stored messages of an embedded server, and how ``findMessages`` looks for them."""

from __future__ import annotations

import base64
import math
import time
import zlib
from collections.abc import Mapping
from datetime import datetime, timezone

from attrs import define, field

from ._instances import Instance, row_id
from ._problems import RestProblem


PAGE_SIZE = 50
"""Records on a page when the request does not say."""

SOURCES = {"ios", "android", "web", "unknown", "desktop"}
MESSAGE_EVENTS = {"messages.upsert", "send.message"}
BATCH_EVENTS = {"messages.set"}


@define
class Row:
    """One stored message."""

    data: Mapping[str, object] = field(repr=False)
    instance_id: str
    visible_from: float = 0.0
    id: str = field(factory=row_id)
    statuses: list[object] = field(factory=list)

    @property
    def key(self) -> Mapping[str, object]:
        """The message's key, empty when it has none."""
        key = self.data.get("key")
        return key if isinstance(key, Mapping) else {}

    @property
    def timestamp(self) -> int:
        """WhatsApp's time of the message in Unix seconds."""
        stamp = self.data.get("messageTimestamp")
        if isinstance(stamp, Mapping):
            return int(str(stamp.get("low", 0)))
        try:
            return int(str(stamp))
        except ValueError:
            return 0

    def record(self) -> dict[str, object]:
        """Return the message as REST shows it."""
        return {
            "id": self.id,
            "key": plain(self.key),
            "pushName": self.data.get("pushName"),
            "messageType": self.data.get("messageType"),
            "message": plain(self.data.get("message")),
            "messageTimestamp": self.timestamp,
            "instanceId": self.instance_id,
            "source": self.data.get("source", "unknown"),
            "contextInfo": plain(self.data.get("contextInfo")),
            "MessageUpdate": [{"status": status} for status in self.statuses],
        }


class History:
    """All messages that were stored, by the id of their instance."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = {}

    def record(self, instance: Instance, event: str, data: object, delay: float) -> None:
        """Keep what *event* says about messages; *delay* seconds pass before it shows."""
        if event == "messages.update" and isinstance(data, Mapping):
            self._note_status(instance, data)
            return
        batch = data if event in BATCH_EVENTS and isinstance(data, list) else []
        for item in [data] if event in MESSAGE_EVENTS else batch:
            if isinstance(item, Mapping):
                row = Row(item, instance.id, time.monotonic() + delay)
                self._rows.setdefault(instance.id, []).append(row)

    def forget(self, instance: Instance) -> None:
        """Drop the messages of a deleted instance."""
        self._rows.pop(instance.id, None)

    def rows(self, instance: Instance) -> list[Row]:
        """Return what a query can see now, oldest first."""
        now = time.monotonic()
        return [row for row in self._rows.get(instance.id, []) if row.visible_from <= now]

    def by_key(self, instance: Instance, key_id: object) -> Row | None:
        """Return the message with WhatsApp's id *key_id*."""
        found = (row for row in self.rows(instance) if row.key.get("id") == key_id)
        return next(found, None)

    def find(self, instance: Instance, body: Mapping[str, object]) -> dict[str, object]:
        """
        Answer ``findMessages`` of version 2.

        Raises:
            RestProblem: The server answers an error.
        """
        where = body.get("where") or {}
        if not isinstance(where, Mapping):
            raise RestProblem(400, [["where is not of a type(s) object"]])
        page, size = _whole(body.get("page"), 1), _whole(body.get("offset"), PAGE_SIZE)
        found = _selected(self.rows(instance), where)
        # The database has no tie-breaker: within one second each page is cut
        # from another order, so that paging loses and repeats messages.
        found.sort(key=lambda row: (-row.timestamp, zlib.crc32(f"{page}:{row.id}".encode())))
        shown = found[(page - 1) * size : page * size]
        return {
            "messages": {
                "total": len(found),
                "pages": math.ceil(len(found) / size),
                "currentPage": page,
                "records": [row.record() for row in shown],
            }
        }

    def find_v1(self, instance: Instance, body: Mapping[str, object]) -> list[object]:
        """Answer ``findMessages`` of version 1.8: a list, without time filter or pages."""
        where = body.get("where") or {}
        key = where.get("key") if isinstance(where, Mapping) else None
        wanted = key if isinstance(key, Mapping) else {}
        found = [
            row
            for row in self.rows(instance)
            if all(row.key.get(name) == value for name, value in wanted.items())
        ]
        found.sort(key=lambda row: -row.timestamp)
        limit = body.get("limit")
        shown = found[:limit] if isinstance(limit, int) and limit > 0 else found
        return [_v1_record(row, instance) for row in shown]

    def _note_status(self, instance: Instance, data: Mapping[str, object]) -> None:
        row = self.by_key(instance, data.get("keyId"))
        if row is not None and "status" in data:
            row.statuses.append(data["status"])


def plain(value: object) -> object:
    """Return *value* with bytes as base64, as the database keeps them."""
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _v1_record(row: Row, instance: Instance) -> dict[str, object]:
    record = row.record()
    kept = ("key", "pushName", "messageType", "message", "messageTimestamp", "source")
    return {"_id": row.id[1:], **{name: record[name] for name in kept}, "owner": instance.name}


def _whole(value: object, default: int) -> int:
    # 0 and absent mean the default; what is no number breaks the query.
    if not value:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise RestProblem(500, "Invalid `prisma.message.findMany()` invocation")
    return int(value)


def _selected(rows: list[Row], where: Mapping[str, object]) -> list[Row]:
    key = where.get("key")
    key = key if isinstance(key, Mapping) else {}
    start, end = _window(where.get("messageTimestamp"))
    source = where.get("source")
    if source and source not in SOURCES:
        raise RestProblem(500, "Invalid value for argument `source`. Expected DeviceMessage.")
    return [
        row
        for row in rows
        if start <= row.timestamp <= end
        and _is(where.get("id"), row.id)
        and _is(where.get("messageType"), row.data.get("messageType"))
        and _is(source, row.data.get("source", "unknown"))
        and _key_matches(key, row.key)
    ]


def _is(wanted: object, value: object) -> bool:
    # Empty and false filters are ignored, also fromMe: false.
    return not wanted or wanted == value


def _key_matches(wanted: Mapping[str, object], key: Mapping[str, object]) -> bool:
    jids = [name for name in ("remoteJid", "remoteJidAlt") if wanted.get(name)]
    return all(
        _is(wanted.get(name), key.get(name)) for name in ("id", "participants", "fromMe")
    ) and (not jids or any(wanted[name] == key.get(name) for name in jids))


def _window(bounds: object) -> tuple[float, float]:
    # Only both bounds together are a filter; anything else selects everything.
    if isinstance(bounds, Mapping) and bounds.get("gte") and bounds.get("lte"):
        return _seconds(bounds["gte"]), _seconds(bounds["lte"])
    return -math.inf, math.inf


def _seconds(value: object) -> int:
    """Return what ``new Date(value)`` means, floored to whole Unix seconds."""
    try:
        if isinstance(value, int | float):
            return math.floor(value / 1000)
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        if len(str(value)) == len("2026-11-24"):
            moment = moment.replace(tzinfo=timezone.utc)
        return math.floor(moment.timestamp())
    except (ValueError, OverflowError):
        raise RestProblem(500, "Invalid time value") from None
