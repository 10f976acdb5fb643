"""Which messages a client had already, in a memory of limited size."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import Any


# Enough for a margin of half a minute on a very busy server; some 150 bytes each.
_LIMIT = 20_000

_TYPES = frozenset({"messages.upsert", "send.message"})


def message_id(name: str, data: Any) -> str | None:
    """Return WhatsApp's id of the message in the *data* of an event; None without one."""
    if name not in _TYPES:
        return None
    key = data.get("key") if isinstance(data, dict) else None
    found = key.get("id") if isinstance(key, dict) else None
    return found if isinstance(found, str) and found else None


class SeenMessages:
    """
    Remembers the last messages by instance and id, and which way they came.

    What comes off the wire is only noted, which costs next to nothing; it is
    looked up when the history is read.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._changing = threading.Lock()
        self._noted: deque[tuple[str, str]] = deque(maxlen=limit)
        self._known = _Bounded(limit)
        self._replayed = _Bounded(limit)

    def after_fork(self) -> None:
        """Take a lock that no thread of the parent holds."""
        self._changing = threading.Lock()

    def restore(self, messages: Iterable[tuple[str, str, bool]]) -> None:
        """Know these messages and no others: instance, id, and whether they were replayed."""
        with self._changing:
            self._noted.clear()
            self._known, self._replayed = _Bounded(self._limit), _Bounded(self._limit)
            for instance, number, replayed in messages:
                (self._replayed if replayed else self._known).add((instance, number))

    def came_live(self, instance: str, number: str) -> bool:
        """Note a message off the wire; return False when a replay has delivered it before."""
        key = instance, number
        with self._changing:
            self._noted.append(key)
            return key not in self._replayed

    def is_new(self, instance: str, number: str) -> bool:
        """Note a message of the history; return whether it was neither received nor replayed."""
        key = instance, number
        with self._changing:
            while self._noted:
                self._known.add(self._noted.popleft())
            if key in self._known or key in self._replayed:
                return False
            self._replayed.add(key)
            return True


class _Bounded:
    """A set that forgets its oldest members."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._order: deque[tuple[str, str]] = deque()
        self._members: set[tuple[str, str]] = set()

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._members

    def add(self, key: tuple[str, str]) -> None:
        if key not in self._members:
            self._members.add(key)
            self._order.append(key)
            if len(self._order) > self._limit:
                self._members.discard(self._order.popleft())
