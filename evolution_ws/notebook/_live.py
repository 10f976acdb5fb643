"""A table in the output of a cell that updates while the cell runs."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from ..client import Client
from ..exceptions import ClientClosed, ConfigError
from ..markup import Markup, badge, element, frame, note
from ..markup import table as html_table
from ..state import ConnectionState, NamespaceState
from ..subscription import Subscription
from ._table import HEAD, rows


__all__ = ["live"]

# Seconds over which the rates are taken.
_WINDOW = 10.0

# Kinds of events in the upper table; a server has some thirty, each for every instance.
_MOST_KINDS = 12

_GREEN = "37,170,90"
_ORANGE = "230,140,20"


def live(
    client: Client,
    *types: str,
    instance: str | Iterable[str] | None = None,
    timeout: float | None = None,
    interval: float = 0.5,
    latest: int = 8,
) -> None:
    """
    Show what arrives, in a table that updates while the cell runs.

    Ends when the cell is interrupted, the client is closed or the time is over; the table stays
    as it was last. The client goes on, and no event is taken from its inbox. Connects the
    client unless it is connected.

    Args:
        client:
            Whose events.
        types:
            Names of events, in any spelling; none of them for all.
        instance:
            Name or names of instances; None for all of the client.
        timeout:
            Seconds after which it ends; None goes on until the cell is interrupted.
        interval:
            Seconds between two updates.
        latest:
            Number of the newest events to show; 0 shows counts alone.

    Raises:
        ConfigError: This is no notebook, or a name is no name.
        ConnectionLost, AuthenticationError: The connection failed for good.
    """
    board = Board(client, latest)
    output = _new_output()
    ends = None if timeout is None else time.monotonic() + timeout
    with client.subscribe(*types, instance=instance) as stream:
        try:
            output.display(board)
            while ends is None or time.monotonic() < ends:
                due = time.monotonic() + interval
                _gather(stream, board, due if ends is None else min(due, ends))
                output.update(board)
        except (ClientClosed, KeyboardInterrupt):
            pass  # the two usual ways to end it
        finally:
            output.update(board)


def _new_output() -> Any:
    """Return what shows a thing in the cell's output, and shows it anew."""
    try:
        from IPython import get_ipython
        from IPython.display import DisplayHandle
    except ImportError:  # pragma: no cover - tested in a process of its own
        raise ConfigError("this needs IPython: pip install 'evolution-ws[notebook]'") from None
    if get_ipython() is None:
        raise ConfigError("this is for notebooks; in a terminal there is: evolution-ws top")
    return DisplayHandle()  # type: ignore[no-untyped-call]


def _gather(stream: Subscription, board: Board, until: float) -> None:
    while (left := until - time.monotonic()) > 0:
        try:
            board.add(stream.get(timeout=left))
        except TimeoutError:
            return


class Board:
    """
    What :func:`live` shows: counts, rates, and the newest events.

    Args:
        client:
            Whose state and counters stand above the table.
        latest:
            Number of events to keep.
    """

    def __init__(self, client: Client, latest: int) -> None:
        self._client = client
        self._totals: Counter[tuple[str, str]] = Counter()
        self._recent: deque[tuple[float, tuple[str, str]]] = deque()
        self._latest: deque[Any] = deque(maxlen=latest)
        self._started = time.monotonic()

    def add(self, event: Any) -> None:
        """Count *event*, which arrived just now."""
        key = (event.instance, event.type)
        self._totals[key] += 1
        self._recent.append((time.monotonic(), key))
        self._latest.appendleft(event)

    def rates(self, now: float) -> Counter[tuple[str, str]]:
        """Return the number of events of each kind in the last seconds before *now*."""
        while self._recent and self._recent[0][0] < now - _WINDOW:
            self._recent.popleft()
        return Counter(key for _, key in self._recent)

    def __repr__(self) -> str:
        total = sum(self._totals.values())
        return f"{self._client.state.value}, {total} events, {self._client.stats.dropped} dropped"

    def _repr_html_(self) -> str:
        newest = html_table(rows(self._latest), HEAD) if self._latest else None
        return str(frame(self._head(), self._counts(), newest))

    def _head(self) -> Markup:
        state, stats = self._client.state, self._client.stats
        color = _GREEN if state is ConnectionState.OPEN else _ORANGE
        counts = f"{stats.queue_events} waiting, {stats.dropped} dropped, "
        waiting = [
            badge(f"{name} {told if isinstance(told, str) else told.value}", _ORANGE)
            for name, told in self._client.namespaces.items()
            if told is not NamespaceState.JOINED
        ]
        told = note(f"  {counts}{stats.reconnects} reconnects  ")
        return element("div", badge(state.value, color), told, *waiting)

    def _counts(self) -> Markup | None:
        now = time.monotonic()
        lately, seconds = self.rates(now), max(1.0, min(_WINDOW, now - self._started))
        ordered = sorted(self._totals, key=lambda key: (-self._totals[key], key))
        cells = [
            (*key, f"{self._totals[key]:,}", f"{lately[key] / seconds:.1f}")
            for key in ordered[:_MOST_KINDS]
        ]
        return html_table(cells, ("instance", "event", "total", "per second")) if cells else None
