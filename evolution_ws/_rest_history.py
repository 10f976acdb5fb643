"""Asking for the stored messages of a window of time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ._rest_answers import Reply
from ._rest_shapes import History, timestamp_of, within


logger = logging.getLogger("evolution_ws.rest")

# Version 1 knows neither windows of time nor pages: more is asked for until the oldest
# message lies before the window.
_V1_MOST = 100_000

_V1_GROWTH = 4


def read_history(
    call: Callable[[dict[str, Any]], Reply],
    key: dict[str, str],
    window: tuple[int, int],
    limit: int,
    *,
    is_v1: bool,
) -> tuple[Reply, History | None]:
    """
    Return the newest *limit* messages of *window*, and the answer that they came with.

    Args:
        call:
            Posts a body to the route.
        key:
            What the messages' keys have to hold.
        window:
            Begin and end in milliseconds since 1970.
        limit:
            Messages to ask for; with *is_v1*, to ask for at first.
        is_v1:
            Whether the server is of version 1.

    Returns:
        The answer, and what it holds; None when it cannot be understood.
    """
    where: dict[str, Any] = {"key": key} if key else {}
    return (_read_v1 if is_v1 else _read_v2)(call, where, window, limit)


def _read_v2(
    call: Callable[[dict[str, Any]], Reply],
    where: dict[str, Any],
    window: tuple[int, int],
    limit: int,
) -> tuple[Reply, History | None]:
    where = {**where, "messageTimestamp": {"gte": window[0], "lte": window[1]}}
    # What the server calls offset is the size of a page.
    reply = call({"where": where, "page": 1, "offset": limit})
    found = reply.value.get("messages") if isinstance(reply.value, dict) else None
    received = found.get("records") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(received, list):
        return reply, None
    total = found.get("total")
    total = total if isinstance(total, int) else len(received)
    is_complete = total <= len(received)
    return reply, History(within(received, *window), total, reply.date, is_complete)


def _read_v1(
    call: Callable[[dict[str, Any]], Reply],
    where: dict[str, Any],
    window: tuple[int, int],
    limit: int,
) -> tuple[Reply, History | None]:
    while True:
        reply = call({"where": where, "limit": limit})
        received = reply.value
        if not isinstance(received, list):
            return reply, None
        times = (timestamp_of(record) for record in received if isinstance(record, dict))
        is_older = any(at is not None and at < window[0] // 1000 for at in times)
        is_complete = is_older or len(received) < limit
        if is_complete or limit >= _V1_MOST:
            if not is_complete:
                logger.warning("the history is cut off at its newest %d messages", len(received))
            records = within(received, *window)
            return reply, History(records, len(records), reply.date, is_complete)
        limit = min(limit * _V1_GROWTH, _V1_MOST)
