"""What users say about the events they want, in the words of the wire."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ..event_types import event_type, is_known, nearest


_log = logging.getLogger("evolution_ws")


def wire_names(types: Iterable[str]) -> frozenset[str] | None:
    """Return the names on the wire; None for all events, when there is none or ``"*"``."""
    names = frozenset(event_type(name) for name in types)
    for name in names:
        if name != "*" and not is_known(name):
            guess = nearest(name)
            hint = f"; did you mean {guess}?" if guess else ""
            _log.warning("no known Evolution server emits %r%s", name, hint)
    return None if not names or "*" in names else names


def instance_set(instance: str | Iterable[str] | None) -> frozenset[str] | None:
    """Return the names of instances; None for all of them."""
    if instance is None or instance == "*":
        return None
    return frozenset((instance,) if isinstance(instance, str) else instance)
