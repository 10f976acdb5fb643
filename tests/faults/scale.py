"""Short times for the client, so that a run of seconds meets what takes minutes in life."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from evolution_ws import _backfill, _history, _hub, _joins, _supervisor


_SHORT = {
    # The margin must not cover a whole run, or it would hide every error in the windows.
    (_history, "_MARGIN"): 3.0,
    (_backfill, "_SETTLE"): 0.4,
    (_backfill, "_PAUSES"): (0.2, 0.4, 0.8, *[1.0] * 20),
    (_joins, "_FIRST_RETRY"): 0.2,
    (_joins, "_LONGEST_RETRY"): 1.0,
    (_supervisor, "_STABLE"): 1.0,
    (_hub, "_UNREAD"): 2.0,
}


@contextmanager
def short_times() -> Iterator[None]:
    """Make the client's own constants small, in this process."""
    normal = {place: getattr(*place) for place in _SHORT}
    for place, value in _SHORT.items():
        setattr(*place, value)
    try:
        yield
    finally:
        for place, value in normal.items():
            setattr(*place, value)
