"""How clients and their counters look in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from .markup import Markup, badge, clock, element, frame, note, table
from .state import ConnectionState, NamespaceState, Stats


__all__ = ["client_html", "stats_html"]

_COLORS = {
    ConnectionState.OPEN: "37,170,90",
    ConnectionState.CONNECTING: "230,140,20",
    ConnectionState.BACKOFF: "230,140,20",
    ConnectionState.FAILED: "220,50,50",
}

# What a healthy client has to tell; stats has the rest, and these where they are not 0.
_ALWAYS = ("received", "delivered", "queue_events", "last_event_at")


def client_html(client: Any, address: str) -> str:
    """Return a client as HTML: its state, its namespaces and the counters that matter."""
    names = client.instances
    which = "all instances" if names is None else ", ".join(names)
    head = [element("b", "Client"), " ", address, " ", state_badge(client.state), " ", which]
    rows = [
        (note(name), _cell(value))
        for name, value in attrs.asdict(client.stats, recurse=False).items()
        if name in _ALWAYS or (value and not isinstance(value, datetime))
    ]
    return str(frame(element("div", *head), _namespaces(client.namespaces), table(rows)))


def stats_html(stats: Stats) -> str:
    """Return all counters as HTML."""
    values = attrs.asdict(stats, recurse=False)
    return str(frame(table((note(name), _cell(value)) for name, value in values.items())))


def state_badge(state: ConnectionState) -> Markup:
    """Return the state on a ground of its colour."""
    return badge(state.value, _COLORS.get(state, "128,128,128"))


def _namespaces(namespaces: Mapping[str, NamespaceState | str]) -> Markup:
    told = [
        piece
        for name, state in namespaces.items()
        for piece in (f"{name} ", badge(state if isinstance(state, str) else state.value), "  ")
    ]
    return element("div", note("namespaces  "), *told, style="margin:.2em 0;")


def _cell(value: int | datetime | None) -> str:
    return f"{value:,}" if isinstance(value, int) else clock(value)
