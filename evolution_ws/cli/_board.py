"""What ``top`` knows: counts, rates and delays of the events of one client."""

from __future__ import annotations

from collections import Counter, deque

import attrs

from ..events import Event
from ._check_live import clock_offset


# Time zones differ by quarters of an hour; what is left over is the delay.
_QUARTER = 900.0
_WINDOW = 10.0
_DELAYS = 1000


@attrs.frozen
class Row:
    """One kind of event of one instance."""

    instance: str
    type: str
    total: int
    rate: float
    """Events a second, over the last seconds."""


class Board:
    """
    Counts events.

    Args:
        window:
            Seconds over which rates are taken.
    """

    def __init__(self, window: float = _WINDOW) -> None:
        self._window = window
        self._totals: Counter[tuple[str, str]] = Counter()
        self._recent: deque[tuple[float, tuple[str, str]]] = deque()
        self._delays: deque[float] = deque(maxlen=_DELAYS)
        self._started: float | None = None

    def add(self, event: Event, now: float) -> None:
        """Count *event*, which arrived at *now* of the monotonic clock."""
        key = (event.instance, event.type)
        self._totals[key] += 1
        self._recent.append((now, key))
        offset = clock_offset(event)
        if offset is not None and not event.replayed:
            self._delays.append(round(offset / _QUARTER) * _QUARTER - offset)

    def start(self, now: float) -> None:
        """Begin to count at *now*; before a whole window is over, rates are of less."""
        self._started = now

    def rows(self, now: float) -> list[Row]:
        """Return what there is to show at *now*, the liveliest first."""
        while self._recent and self._recent[0][0] < now - self._window:
            self._recent.popleft()
        lately = Counter(key for _, key in self._recent)
        since = now if self._started is None else self._started
        seconds = max(1.0, min(self._window, now - since))
        rows = [
            Row(instance, kind, total, lately[instance, kind] / seconds)
            for (instance, kind), total in self._totals.items()
        ]
        return sorted(rows, key=lambda row: (-row.rate, -row.total, row.instance, row.type))

    def delay(self, share: float) -> float | None:
        """
        Return the delay in seconds that *share* of the events do not exceed; None without any.

        From the server's clock to this machine's, so that their difference is part of it.
        """
        if not self._delays:
            return None
        ordered = sorted(self._delays)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
