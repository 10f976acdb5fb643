"""How far a message came: the statuses and their order."""

from __future__ import annotations

from collections.abc import Iterable

from ._wire import to_text


__all__ = ["furthest", "status_name"]

# In the order of WhatsApp's own enumeration, which is also that of progress.
_STATUSES = ("ERROR", "PENDING", "SERVER_ACK", "DELIVERY_ACK", "READ", "PLAYED")


def status_name(value: object) -> str | None:
    """Return a status by its name, whether it came as name or as number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _STATUSES[value] if 0 <= value < len(_STATUSES) else None
    return to_text(value)


def furthest(values: Iterable[object]) -> str | None:
    """Return the name of the status that is furthest along, None if there is none."""
    names = [name for name in map(status_name, values) if name is not None]
    return max(names, key=_progress, default=None)


def _progress(name: str) -> int:
    return _STATUSES.index(name) if name in _STATUSES else -1
