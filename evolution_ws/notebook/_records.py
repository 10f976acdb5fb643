"""Events as flat records, which pandas and others make tables of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


__all__ = ["to_records"]


def to_records(events: Iterable[Any]) -> list[dict[str, Any]]:
    """
    Return one flat dict for each event, and one for each message of a piece of history.

    For example ``pandas.DataFrame(to_records(client.events(limit=100)))``. All have the same
    keys, so that a column exists even where no event has anything to say: ``time`` (when the
    message was sent, else when the event arrived), ``instance``, ``type``, ``chat``,
    ``sender``, ``name`` (of the writer), ``from_me``, ``is_group``, ``kind``, ``text``,
    ``status``, ``message_id``, ``replayed``. Times are in UTC; what is not known is None.

    Args:
        events:
            Events, from any source. An endless loop of them has to be limited.
    """
    return [record for event in events for record in _records(event)]


def _records(event: Any) -> list[dict[str, Any]]:
    message = getattr(event, "message", None)
    messages = getattr(event, "messages", [] if message is None else [message])
    if not messages:
        return [_of_event(event)]
    return [{**_of_event(event), **_of_message(message, event)} for message in messages]


def _of_event(event: Any) -> dict[str, Any]:
    # A change of the connection, in a stream that asked for them, has next to none of it.
    chat = getattr(event, "chat", None) or getattr(event, "group", None)
    return {
        "time": getattr(event, "received_at", None),
        "instance": event.instance,
        "type": event.type,
        "chat": chat,
        "sender": None,
        "name": None,
        "from_me": getattr(event, "from_me", None),
        "is_group": None if chat is None else chat.endswith("@g.us"),
        "kind": None,
        "text": getattr(event, "text", None),
        "status": getattr(event, "status", None),
        "message_id": getattr(event, "message_id", None),
        "replayed": getattr(event, "replayed", False) is True,
    }


def _of_message(message: Any, event: Any) -> dict[str, Any]:
    return {
        "time": message.timestamp or event.received_at,
        "chat": message.chat,
        "sender": message.sender,
        "name": message.push_name,
        "from_me": message.from_me,
        "is_group": message.is_group,
        "kind": message.kind,
        "text": message.text,
        "status": message.status,
        "message_id": message.id,
    }
