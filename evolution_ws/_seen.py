"""Which messages a client had already, in a memory of limited size."""

from __future__ import annotations

import threading
from collections import deque

from .events import Event


# Enough for a margin of half a minute on a very busy server; some 150 bytes each.
_LIMIT = 20_000

_TYPES = frozenset({"messages.upsert", "send.message"})


def message_id(event: Event) -> str | None:
    """Return WhatsApp's id of the message that *event* brings; None when it brings none."""
    if event.type not in _TYPES:
        return None
    data = event.data
    key = data.get("key") if isinstance(data, dict) else None
    found = key.get("id") if isinstance(key, dict) else None
    return found if isinstance(found, str) and found else None


class SeenMessages:
    """Remembers the last messages by instance and id, and which way they came."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._changing = threading.Lock()
        self._replayed: dict[tuple[str, str], bool] = {}
        self._order: deque[tuple[str, str]] = deque()

    def after_fork(self) -> None:
        """Take a lock that no thread of the parent holds."""
        self._changing = threading.Lock()

    def came_live(self, instance: str, number: str) -> bool:
        """Note a message off the wire; return False when a replay has delivered it before."""
        key = instance, number
        with self._changing:
            known = self._replayed.get(key)
            if known is None:
                self._remember(key, False)
            return not known

    def is_new(self, instance: str, number: str) -> bool:
        """Note a message of the history; return whether it was neither received nor replayed."""
        key = instance, number
        with self._changing:
            if key in self._replayed:
                return False
            self._remember(key, True)
            return True

    def _remember(self, key: tuple[str, str], replayed: bool) -> None:
        self._replayed[key] = replayed
        self._order.append(key)
        if len(self._order) > self._limit:
            del self._replayed[self._order.popleft()]
