"""
The names of the events, in every spelling people use.

On the wire an event is called ``messages.upsert``; the server's settings call it
``MESSAGES_UPSERT``. Both, and what lies between, are understood here.
"""

from __future__ import annotations

import difflib
import re
from enum import Enum

from .exceptions import ConfigError


__all__ = [
    "GLOBAL_ONLY",
    "EventType",
    "config_name",
    "event_type",
    "is_known",
    "nearest",
    "selectable",
]


class EventType(str, Enum):
    """
    Every event that some version of the server knows.

    The members are strings and equal to the name on the wire::

        >>> EventType.MESSAGES_UPSERT == "messages.upsert"
        True
    """

    APPLICATION_STARTUP = "application.startup"
    """Selectable, but no server emits it."""
    CALL = "call"
    CHAMA_AI_ACTION = "chama-ai.action"
    """Version 1.8 only."""
    CHATS_DELETE = "chats.delete"
    CHATS_SET = "chats.set"
    CHATS_UPDATE = "chats.update"
    CHATS_UPSERT = "chats.upsert"
    CONNECTION_UPDATE = "connection.update"
    CONTACTS_SET = "contacts.set"
    """Selectable, but no server emits it."""
    CONTACTS_UPDATE = "contacts.update"
    CONTACTS_UPSERT = "contacts.upsert"
    CREDS_UPDATE = "creds.update"
    """Known to the server, never emitted to clients."""
    GROUPS_UPDATE = "groups.update"
    """Only a server in global mode delivers it."""
    GROUPS_UPSERT = "groups.upsert"
    GROUP_PARTICIPANTS_UPDATE = "group-participants.update"
    INSTANCE_CREATE = "instance.create"
    INSTANCE_DELETE = "instance.delete"
    LABELS_ASSOCIATION = "labels.association"
    LABELS_EDIT = "labels.edit"
    LOGOUT_INSTANCE = "logout.instance"
    MESSAGES_DELETE = "messages.delete"
    MESSAGES_EDITED = "messages.edited"
    MESSAGES_SET = "messages.set"
    MESSAGES_UPDATE = "messages.update"
    MESSAGES_UPSERT = "messages.upsert"
    MESSAGING_HISTORY_SET = "messaging-history.set"
    """From version 2.4 on."""
    NEW_JWT_TOKEN = "new.jwt"
    """Version 1.8 only, and never on the socket."""
    PRESENCE_UPDATE = "presence.update"
    QRCODE_UPDATED = "qrcode.updated"
    REMOVE_INSTANCE = "remove.instance"
    SEND_MESSAGE = "send.message"
    SEND_MESSAGE_UPDATE = "send.message.update"
    STATUS_INSTANCE = "status.instance"
    TYPEBOT_CHANGE_STATUS = "typebot.change-status"
    TYPEBOT_START = "typebot.start"

    def __str__(self) -> str:
        return self.value

    @classmethod
    def parse(cls, name: str) -> EventType:
        """
        Return the member that *name* means, in any spelling.

        Raises:
            ConfigError: No server knows such an event; the message suggests the nearest.
        """
        wire = event_type(name)
        if not is_known(wire):
            near = nearest(name)
            hint = f"; did you mean {near!r}?" if near else ""
            raise ConfigError(f"no server knows an event {wire!r}{hint}")
        return cls(wire)


GLOBAL_ONLY = frozenset({EventType.GROUPS_UPDATE.value})
"""
Events that no setting of an instance can select: only global mode brings them.

The server's list has ``GROUP_UPDATE``, while it looks for ``GROUPS_UPDATE`` when it
decides what an instance gets.
"""


def event_type(name: str) -> str:
    """
    Return the name on the wire for any spelling of it.

    ``messages.upsert``, ``MESSAGES_UPSERT``, ``messages-upsert`` and
    ``EventType.MESSAGES_UPSERT`` all give ``"messages.upsert"``. A name that no server
    knows comes back without outer blanks and otherwise as it is: see :func:`is_known`.
    """
    text = str(name).strip()
    return _WIRE_NAMES.get(_spelled(text), text)


def is_known(name: str) -> bool:
    """Return whether some version of the server knows *name*, in any spelling."""
    return _spelled(str(name).strip()) in _WIRE_NAMES


def nearest(name: str) -> str | None:
    """Return the name on the wire that is most like *name*, None if none is like it."""
    found = difflib.get_close_matches(_spelled(str(name)), _WIRE_NAMES, n=1, cutoff=0.6)
    return _WIRE_NAMES[found[0]] if found else None


def config_name(name: str) -> str:
    """
    Return the name under which the server's settings list an event.

    For ``groups.update`` that is ``GROUP_UPDATE``, the only name the server accepts,
    though it selects nothing: see :data:`GLOBAL_ONLY`.

    Args:
        name:
            The event in any spelling.
    """
    wire = event_type(name)
    return _MISFITS.get(wire) or _spelled(wire)


def selectable(version: str = "2.3") -> tuple[str, ...]:
    """
    Return the names that a server's settings accept.

    Args:
        version:
            The server's version, such as ``"2.3.7"``; a text without a number counts
            as the current one.
    """
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers and numbers < (2,):
        return tuple(sorted((_CURRENT - _SINCE_2_3 - _SINCE_2_0) | _ONLY_1_8))
    if numbers and numbers < (2, 3):
        return tuple(sorted(_CURRENT - _SINCE_2_3))
    return tuple(sorted(_CURRENT | _SINCE_2_4 if numbers >= (2, 4) else _CURRENT))


def _spelled(name: str) -> str:
    return re.sub(r"[^0-9A-Za-z]+", "_", name).upper()


# Everywhere else the settings' name is the one on the wire, spelled with capitals.
_MISFITS = {"groups.update": "GROUP_UPDATE", "new.jwt": "NEW_JWT_TOKEN"}

_WIRE_NAMES = {
    **{_spelled(member.value): member.value for member in EventType},
    **{listed: wire for wire, listed in _MISFITS.items()},
}

_SINCE_2_0 = {"LOGOUT_INSTANCE", "MESSAGES_EDITED", "REMOVE_INSTANCE"}
_SINCE_2_3 = {"INSTANCE_CREATE", "INSTANCE_DELETE", "SEND_MESSAGE_UPDATE", "STATUS_INSTANCE"}
_SINCE_2_4 = {"MESSAGING_HISTORY_SET"}
_ONLY_1_8 = {"CHAMA_AI_ACTION", "NEW_JWT_TOKEN"}
_NEVER_LISTED = {"CREDS_UPDATE"}
_CURRENT = {config_name(member) for member in EventType} - _SINCE_2_4 - _ONLY_1_8 - _NEVER_LISTED
