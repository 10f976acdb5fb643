"""Read the server's history of messages, a window of time after the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from .events import Event, parse_event


if TYPE_CHECKING:
    from .rest import Api


_log = logging.getLogger("evolution_ws")

# How far a message's own time may lie before the moment at which it was emitted.
_MARGIN = 30.0
# How well the server's clock is known: its header tells whole seconds.
_CLOCK_ERROR = 2.0
# Messages to ask for at once; a window that holds more is cut in halves.
_PAGE = 500


class HistoryReader:
    """Translates windows of this machine's clock into requests to the server."""

    def __init__(self) -> None:
        self.origin = 0.0
        """Unix time; nothing older is wanted."""
        self._offset = 0.0
        """Seconds by which the server's clock is ahead of this machine's."""

    def records(
        self, api: Api, instance: str, start: float, end: float
    ) -> Iterator[dict[str, Any]]:
        """Yield what the history holds of a window, oldest first, a page in memory at a time."""
        is_checked = False
        windows = [self._window(start, end)]
        while windows:
            first, last = windows.pop()
            asked = time.time()
            found = api.history(instance, first, last, _PAGE)
            if not is_checked:
                is_checked = True
                if self._has_shifted(found.server_time, asked):
                    windows = [self._window(start, end)]
                    continue
            if found.total > _PAGE and last - first > timedelta(seconds=2):
                middle = first + (last - first) / 2
                windows += [(middle, last), (first, middle)]
                continue
            if found.total > _PAGE:  # a second cannot be cut in halves
                found = api.history(instance, first, last, found.total + _PAGE)
            yield from found.records

    def _window(self, start: float, end: float) -> tuple[datetime, datetime]:
        """Return a window by the server's clock, with a margin but nothing older than wanted."""
        begin = max(start - _MARGIN, self.origin - _CLOCK_ERROR)
        return _utc(begin + self._offset), _utc(end + self._offset + _MARGIN)

    def _has_shifted(self, server_time: datetime | None, asked: float) -> bool:
        """Note how far the clocks differ; return whether the window has to be asked for again."""
        if server_time is None:
            return False
        now = time.time()
        # The header tells whole seconds, and the answer took its time.
        offset = server_time.timestamp() + 0.5 - (asked + now) / 2
        if abs(offset - self._offset) <= _CLOCK_ERROR - 0.5 + (now - asked) / 2:
            return False
        _log.info("the server's clock differs from this one by %.0f seconds", offset)
        self._offset = offset
        return True


def event_of(record: dict[str, Any], instance: str) -> tuple[Event, int]:
    """Return a stored message as the event that would have brought it, and its size."""
    # What only the database has, and what the event would not have.
    data = {
        key: value
        for key, value in record.items()
        if key not in ("id", "MessageUpdate") and not (key == "contextInfo" and value is None)
    }
    updates = record.get("MessageUpdate")
    if isinstance(updates, list) and updates and isinstance(updates[-1], dict):
        data.setdefault("status", updates[-1].get("status"))
    envelope = {"event": "messages.upsert", "instance": instance, "data": data}
    event = parse_event("messages.upsert", envelope, namespace="/" + instance, replayed=True)
    text = repr(data)
    return event, 1_000 + len(text) + 24 * text.count("'")


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
