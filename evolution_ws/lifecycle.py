"""What happens to the connection itself, for the callbacks that ask for it."""

from __future__ import annotations

from datetime import datetime

import attrs


__all__ = ["LIFECYCLE_TYPES", "LifecycleEvent"]

LIFECYCLE_TYPES = frozenset({"connect", "disconnect", "connect_error", "gap"})
"""Names under which callbacks and subscriptions can ask for them."""


@attrs.frozen(kw_only=True)
class LifecycleEvent:
    """
    A change of the connection, delivered in order with the events around it.

    Example::

        @client.on("disconnect")
        def lost(event):
            print("connection lost:", event.reason)
    """

    type: str
    """``"connect"``, ``"disconnect"``, ``"connect_error"`` or ``"gap"``."""

    reason: str | None = None
    """disconnect: what ended the connection."""

    error: Exception | None = None
    """connect_error: why the attempt failed. gap: why the window is incomplete, if it is."""

    attempt: int | None = None
    """connect_error: the number of attempts in a row, from 1."""

    delay: float | None = None
    """connect_error: seconds until the next attempt; None when there will be none."""

    start: datetime | None = None
    """gap: the beginning of the window in which events may have been missed, in UTC."""

    end: datetime | None = None
    """gap: its end, in UTC."""

    instance: str = ""
    """gap: the instance; empty when it concerns all of them."""

    replayed: int | None = None
    """gap: how many messages were fetched from the history and delivered."""

    complete: bool | None = None
    """gap: whether all messages of the window are delivered now. What the history does not hold,
    such as receipts and presence, is never recovered."""

    def ack(self) -> None:
        """Do nothing: a change of the connection is never delivered again."""
