"""What can be known about a client at a moment: its state, its namespaces, its counters."""

from __future__ import annotations

import enum
from datetime import datetime

import attrs


__all__ = ["ConnectionState", "NamespaceState", "Stats"]


class ConnectionState(enum.Enum):
    """Where a client stands."""

    NEW = "new"
    """Made, and not connected yet."""

    CONNECTING = "connecting"
    """An attempt is under way."""

    OPEN = "open"
    """Connected; each namespace is joined or known to be pending."""

    BACKOFF = "backoff"
    """Waiting before the next attempt."""

    CLOSING = "closing"
    """Being closed."""

    CLOSED = "closed"
    """Closed; this client will not connect again."""

    FAILED = "failed"
    """Going on is pointless: the key was refused, or the attempts are used up."""


class NamespaceState(enum.Enum):
    """Where a namespace stands."""

    ASKED = "asked"
    """The server has not answered the join yet."""

    JOINED = "joined"
    """Its events arrive."""

    PENDING = "pending"
    """The server does not know it yet: it comes into being with the instance's first event."""

    REFUSED = "refused"
    """The server refused the join for another reason; it is asked again."""

    LEFT = "left"
    """Not joined, on purpose or because the connection is down."""


@attrs.frozen(kw_only=True)
class Stats:
    """Counters of a client since it was made. A snapshot: it does not change."""

    received: int = 0
    """Events that came over the wire."""
    delivered: int = 0
    """Events handed to consumers: loops, subscriptions and callbacks, each counted."""
    dropped: int = 0
    """Events thrown away because a queue was full."""
    filtered: int = 0
    """Events that no consumer wanted."""
    duplicates: int = 0
    """Second copies, which the server sends in global mode or a replay contained."""
    replayed: int = 0
    """Events fetched from the server's history."""
    malformed: int = 0
    """Packets that could not be understood."""
    callback_errors: int = 0
    """Exceptions raised by callbacks."""
    reconnects: int = 0
    """Connections after the first one."""
    emitted: int = 0
    """Events handed to the socket."""
    emits_lost: int = 0
    """Events that were accepted by emit() and met a connection that was gone."""
    queue_events: int = 0
    """Events that wait, over all queues, those on the disk of a durable inbox included."""
    queue_bytes: int = 0
    """Bytes that they take, in memory (estimated) and on disk."""
    connected_since: datetime | None = None
    """Start of the present connection, in UTC; None while there is none."""
    last_event_at: datetime | None = None
    """When the last event arrived, in UTC; None before the first."""

    def _repr_html_(self) -> str:
        from ._client_html import stats_html  # nobody but a notebook pays for it

        return stats_html(self)
