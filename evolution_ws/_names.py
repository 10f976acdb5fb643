"""Names of events as users write them, made into those of the wire."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from .event_types import GLOBAL_ONLY, event_type, is_known, nearest
from .exceptions import ConfigError
from .lifecycle import LIFECYCLE_TYPES


_log = logging.getLogger("evolution_ws")


def event_names(types: Iterable[object], is_global: bool = True) -> frozenset[str] | None:
    """
    Return the wire names of *types*; None for all events.

    Args:
        is_global:
            Whether the client may be on a server in global mode.

    Raises:
        ConfigError: One of them is no name.
    """
    names: set[str] = set()
    wants_all = False
    given = 0
    for given, kind in enumerate(types, 1):  # noqa: B007 - counts
        if not isinstance(kind, str) or not kind:
            raise ConfigError(
                f"an event's name has to be a str such as 'messages.upsert', not {kind!r}"
            )
        if kind == "*":
            wants_all = True
        elif kind in LIFECYCLE_TYPES:
            names.add(kind)
        else:
            names.add(_known(kind, is_global))
    return None if wants_all or not given else frozenset(names)


def _known(kind: str, is_global: bool) -> str:
    name = event_type(kind)
    if name in GLOBAL_ONLY and not is_global:
        _log.warning(
            "an Evolution server delivers %s in global mode only: its websocket settings cannot "
            "select it",
            name,
        )
    elif not is_known(name):
        guess = nearest(kind)
        hint = f"; did you mean {guess}?" if guess else ""
        _log.warning("no known Evolution server emits %r%s", kind, hint)
    return name
