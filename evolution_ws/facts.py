"""What an event tells, as names and short texts, whatever its kind."""

from __future__ import annotations

import itertools
import json
import re
from datetime import datetime
from typing import Any

import attrs

from ._event import Event


__all__ = ["facts", "payload", "summary"]

# Longer texts and lists are cut: this is for reading along, the event has the rest.
_LONGEST = 300
_MOST_ITEMS = 8
_MOST_LEVELS = 8

# Shown in ways of their own, or not to be shown in passing at all.
_APART = frozenset({"code", "image", "members", "message", "messages", "pairing_code"})

# Payloads of unknown events may hold anything.
_SECRET = re.compile(r"api_?key|token|secret|password|authorization", re.IGNORECASE)


def facts(event: Any) -> list[tuple[str, str]]:
    """
    Return names and values of what the event's kind tells beyond what all events have.

    What is None, empty or False is left out. Messages are not among it, nor are secrets.
    """
    found = [(name, _text(getattr(event, name))) for name in _names(type(event))]
    return [(name, text) for name, text in found if text]


def summary(event: Any) -> str:
    """Return one line of what the event tells."""
    message = getattr(event, "message", None)
    if message is not None:
        kind = "" if message.kind == "text" else f"[{message.kind}] "
        return _cut(f"{kind}{message.text or ''}".strip())
    if hasattr(event, "messages"):
        return f"{len(event.messages)} messages"
    told = facts(event)
    if told or not isinstance(event, Event) or type(event) is not Event:
        return _cut(", ".join(f"{name}: {text}" for name, text in told))
    return _cut(" ".join(payload(event).split()))


def payload(event: Event) -> str:
    """Return the payload as JSON, with long parts cut, bytes counted and secrets masked."""
    return json.dumps(_outline(event.data), ensure_ascii=False, indent=2)


def _names(kind: type[Any]) -> list[str]:
    if attrs.has(kind) and not issubclass(kind, Event):  # a lifecycle event
        return [field.name for field in attrs.fields(kind) if field.name != "type"]
    own = itertools.takewhile(lambda ancestor: ancestor is not Event, kind.__mro__)
    names = dict.fromkeys(
        name
        for ancestor in own
        for name, item in vars(ancestor).items()
        if isinstance(item, property) and not name.startswith("_") and name not in _APART
    )
    return list(names)


def _text(value: object) -> str:
    if value is None or value is False or value in ("", [], (), {}):
        return ""
    if value is True:
        return "yes"
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, dict):
        return _listed([f"{key}: {_text(item)}" for key, item in value.items()])
    if isinstance(value, (list, tuple)):
        return _listed([_text(item) for item in value])
    if attrs.has(type(value)):
        return next(filter(None, (_text(getattr(value, name, "")) for name in _TITLES)), "?")
    return _cut(str(value))


# What a contact, a chat, a group, a person or a presence is called, the best first.
_TITLES = ("name", "subject", "jid", "state")


def _listed(texts: list[str]) -> str:
    more = f" and {len(texts) - _MOST_ITEMS} more" if len(texts) > _MOST_ITEMS else ""
    return _cut(", ".join(texts[:_MOST_ITEMS])) + more


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _outline(value: object, level: int = 0) -> object:
    if isinstance(value, (bytes, bytearray)):
        return f"<{len(value)} bytes>"
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, (dict, list)) and value and level == _MOST_LEVELS:
        return "…"
    if isinstance(value, dict):
        shown = {
            _cut(str(key)): "***" if _SECRET.search(str(key)) else _outline(item, level + 1)
            for key, item in list(value.items())[:_MOST_ITEMS]
        }
        return shown | (
            {"…": f"{len(value) - _MOST_ITEMS} more"} if len(value) > _MOST_ITEMS else {}
        )
    if isinstance(value, list):
        items = [_outline(item, level + 1) for item in value[:_MOST_ITEMS]]
        return [*items, f"… {len(value) - _MOST_ITEMS} more"] if len(value) > len(items) else items
    return value if value is None or isinstance(value, (bool, int, float)) else _cut(str(value))
