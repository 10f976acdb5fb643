"""Several events as one table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, overload

from ..facts import summary
from ..markup import clock, element, frame, note
from ..markup import table as html_table
from ._records import to_records


__all__ = ["EventTable", "rows", "table"]

# More rows than this nobody reads; the records have them all.
_MOST_ROWS = 100

HEAD = ("time", "instance", "event", "from", "")


def table(events: Iterable[Any]) -> EventTable:
    """
    Gather events, and return them as a list that a notebook shows as a table.

    Example::

        table(client.events("messages.upsert", limit=20, timeout=10))

    Interrupting the cell ends the gathering; what came until then is in the table.

    Args:
        events:
            Events, from any source.

    Raises:
        EvolutionError: As the loop over *events* does.
    """
    gathered: list[Any] = []
    try:
        gathered.extend(event for event in events)
    except KeyboardInterrupt:
        pass  # how an endless loop is ended in a notebook
    return EventTable(gathered)


class EventTable(Sequence[Any]):
    """
    Events in a row; a notebook shows them as a table.

    Slices are tables too. See :func:`table`, which makes them.
    """

    def __init__(self, events: Iterable[Any] = ()) -> None:
        self._events = list(events)

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> EventTable: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return EventTable(self._events[index])
        return self._events[index]

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._events)

    def to_records(self) -> list[dict[str, Any]]:
        """Return the events as flat dicts; see :func:`to_records`."""
        return to_records(self._events)

    def __repr__(self) -> str:
        return f"<EventTable of {len(self)} events>"

    def _repr_html_(self) -> str:
        left_out = len(self) - _MOST_ROWS
        more = element("div", note(f"… and {left_out} more")) if left_out > 0 else None
        shown = html_table(rows(self._events[:_MOST_ROWS]), HEAD)
        return str(frame(shown if len(self) else note("no events"), more))


def rows(events: Iterable[Any]) -> list[tuple[str, ...]]:
    """Return the cells of each event's row, under :data:`HEAD`."""
    return [
        (
            clock(_time(event), "%H:%M:%S"),
            event.instance,
            event.type,
            _writer(event),
            summary(event),
        )
        for event in events
    ]


def _time(event: Any) -> datetime | None:
    message = getattr(event, "message", None)
    when: datetime | None = message.timestamp if message is not None else None
    return when or getattr(event, "received_at", None)


def _writer(event: Any) -> str:
    message = getattr(event, "message", None)
    if message is None:
        return ""
    return "me" if message.from_me else message.push_name or message.phone or message.lid or "?"
