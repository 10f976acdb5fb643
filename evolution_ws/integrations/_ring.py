"""The short memory that open streams read from."""

from __future__ import annotations

from urllib.parse import quote

import attrs

from .. import Event


class Overtaken(Exception):
    """What a reader has not read yet is forgotten already."""


@attrs.frozen(eq=False)
class Item:
    """One remembered event."""

    number: int
    id: str
    """The event's id, in characters that any header can carry."""
    type: str
    instance: str
    event: Event
    data: bytes
    """Its JSON."""


class Ring:
    """
    Remembers the newest events, within limits of number and memory.

    One thread appends; any number of threads read, each from a position of its own,
    and nobody waits for anybody: the items are replaced as a whole.
    """

    def __init__(self, size: int, max_bytes: int) -> None:
        self._size = size
        self._max_bytes = max_bytes
        self._bytes = 0
        self._items: tuple[Item, ...] = ()
        self.newest = 0
        """The number of the newest event so far."""

    def append(self, event: Event) -> None:
        """Remember *event*, and forget the oldest ones where the limits ask for it."""
        data = event.to_json().encode("utf-8", "replace")
        name = quote(event.id, safe=":@.-_")
        item = Item(self.newest + 1, name, event.type, event.instance, event, data)
        first, self._bytes = 0, self._bytes + len(data)
        # The newest one is kept whatever its size: somebody waits for it.
        while first < len(self._items) and self._is_over(len(self._items) + 1 - first):
            self._bytes -= len(self._items[first].data)
            first += 1
        self._items = (*self._items[first:], item)
        self.newest = item.number

    def _is_over(self, count: int) -> bool:
        return count > self._size or self._bytes > self._max_bytes

    def after(self, number: int) -> Item | None:
        """
        Return the event that follows *number*; None when there is none yet.

        Raises:
            Overtaken: It is forgotten already.
        """
        items = self._items
        if not items or number >= items[-1].number:
            return None
        index = number + 1 - items[0].number
        if index < 0:
            raise Overtaken
        return items[index]

    def find(self, name: str) -> int | None:
        """Return the number of the newest event with the id *name*; None if none is known."""
        for item in reversed(self._items):
            if item.id == name:
                return item.number
        return None

    def clear(self) -> None:
        """Forget everything: events may be missing after the last one."""
        self._items, self._bytes = (), 0
