"""
The events of Evolution API: one class per kind, the same on every server version.

:func:`parse_event` makes them; :class:`Event` says what all of them share.
"""

from __future__ import annotations

import time

from ._chat_events import (
    CallEvent,
    Chat,
    ChatsEvent,
    Contact,
    ContactsEvent,
    LabelEvent,
    Presence,
    PresenceEvent,
)
from ._event import KINDS, Event, blank
from ._group_events import Group, GroupParticipantsEvent, GroupsEvent, Participant
from ._instance_events import ConnectionEvent, InstanceEvent, QRCodeEvent, TypebotEvent
from ._message_events import (
    MessageDeleteEvent,
    MessageEditEvent,
    MessageEvent,
    MessagesSetEvent,
    MessageUpdateEvent,
)


__all__ = [
    # any event
    "Event",
    "parse_event",
    # messages
    "MessageDeleteEvent",
    "MessageEditEvent",
    "MessageEvent",
    "MessagesSetEvent",
    "MessageUpdateEvent",
    # chats and people
    "CallEvent",
    "Chat",
    "ChatsEvent",
    "Contact",
    "ContactsEvent",
    "LabelEvent",
    "Presence",
    "PresenceEvent",
    # groups
    "Group",
    "GroupParticipantsEvent",
    "GroupsEvent",
    "Participant",
    # the instance itself
    "ConnectionEvent",
    "InstanceEvent",
    "QRCodeEvent",
    "TypebotEvent",
]


def parse_event(
    name: str,
    payload: object,
    *,
    namespace: str = "/",
    received_at: float | None = None,
    replayed: bool = False,
    redelivered: bool = False,
) -> Event:
    """
    Make an event of what came off the wire, whatever it is.

    Never raises. A payload that is no envelope (a list, a str, None, a dict without
    ``data``) is the data of an event whose instance is that of the namespace.

    Args:
        name:
            Name of the socket.io event.
        payload:
            Its only argument. It is kept, not copied: leave it alone afterwards.
        namespace:
            The socket.io namespace.
        received_at:
            Unix time in seconds; None means now.
        replayed:
            Whether it comes from the server's history.
        redelivered:
            Whether a durable inbox delivers it again.

    Threads:
        Made for the thread that reads the socket: about a microsecond, no lock.
    """
    if not isinstance(payload, dict) or "data" not in payload:
        payload = {"data": payload}
    if received_at is None:
        received_at = time.time()
    if not isinstance(name, str):
        name = ""
    # Past the constructor, which would build again the envelope that is there already.
    event = blank(KINDS.get(name, Event))
    event.__attrs_init__(name, payload, namespace, received_at, replayed, redelivered, None)
    return event
