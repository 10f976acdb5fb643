"""One line of plain words for an event."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..events import (
    CallEvent,
    ChatsEvent,
    ConnectionEvent,
    ContactsEvent,
    Event,
    GroupParticipantsEvent,
    GroupsEvent,
    InstanceEvent,
    LabelEvent,
    MessageDeleteEvent,
    MessageEditEvent,
    MessageEvent,
    MessagesSetEvent,
    MessageUpdateEvent,
    PresenceEvent,
    QRCodeEvent,
    TypebotEvent,
)
from ._output import escaped


# Longer texts are cut: a line is for reading along, JSON is for the rest.
_LONGEST = 200


def describe(event: Event) -> str:
    """Return what *event* says, as one line that is safe on a terminal."""
    words = next((tell for kind, tell in _TELLERS.items() if isinstance(event, kind)), _other)
    marks = [mark for mark in ("replayed", "redelivered") if getattr(event, mark)]
    text = _short(words(event))
    return " ".join([text, *(f"({mark})" for mark in marks)])


def _short(text: str) -> str:
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return escaped(text)


def _name(jid: str | None) -> str:
    return (jid or "?").removesuffix("@s.whatsapp.net")


def _message(event: MessageEvent) -> str:
    message = event.message
    writer = "me" if message.from_me else message.push_name or _name(message.sender)
    # In a chat of two the other side is named once.
    is_plain = not message.is_group and not message.from_me
    where = "" if is_plain else f" in {_name(message.chat)}"
    kind = "" if message.kind == "text" else f"[{message.kind}] "
    return f"{writer}{where}: {kind}{message.text or ''}".rstrip()


def _update(event: MessageUpdateEvent) -> str:
    edited = f": {event.text}" if event.text else ""
    return f"{event.message_id} to {_name(event.chat)} is {event.status or 'changed'}{edited}"


def _edit(event: MessageEditEvent) -> str:
    return f"{event.message_id} in {_name(event.chat)} now says: {event.text or ''}"


def _delete(event: MessageDeleteEvent) -> str:
    return f"{event.message_id} in {_name(event.chat)} was deleted"


def _history(event: MessagesSetEvent) -> str:
    progress = "" if event.progress is None else f", {event.progress:g} %"
    return f"{len(event.messages)} messages of the history{progress}"


def _connection(event: ConnectionEvent) -> str:
    reason = f" ({event.reason})" if event.reason not in (None, 200) else ""
    return f"WhatsApp is {event.state}{reason}"


def _qrcode(event: QRCodeEvent) -> str:
    if event.limit_reached:
        return "nobody scanned the code in time"
    return "a code to scan; event.render() draws it"


def _presence(event: PresenceEvent) -> str:
    people = [f"{_name(jid)} is {person.state}" for jid, person in event.presences.items()]
    return ", ".join(people) or _other(event)


def _contacts(event: ContactsEvent) -> str:
    names = [contact.name or _name(contact.jid) for contact in event.contacts]
    return f"{len(names)} contact(s): {', '.join(names)}"


def _chats(event: ChatsEvent) -> str:
    names = [chat.name or _name(chat.jid) for chat in event.chats]
    return f"{len(names)} chat(s): {', '.join(names)}"


def _groups(event: GroupsEvent) -> str:
    names = [group.subject or _name(group.jid) for group in event.groups]
    return f"{len(names)} group(s): {', '.join(names)}"


def _participants(event: GroupParticipantsEvent) -> str:
    people = ", ".join(_name(jid) for jid in event.participants)
    return f"{event.action} {people} in {_name(event.group)}"


def _call(event: CallEvent) -> str:
    return f"call from {_name(event.caller)}: {event.status or 'news'}"


def _label(event: LabelEvent) -> str:
    chat = f" for {_name(event.chat)}" if event.chat else ""
    return f"label {event.name or event.label_id} {event.action or ''}{chat}".rstrip()


def _typebot(event: TypebotEvent) -> str:
    return f"typebot {event.typebot or ''} {event.status or 'started'} for {_name(event.chat)}"


def _instance(event: InstanceEvent) -> str:
    return f"instance {event.name}: {event.status or event.action}"


def _other(event: Event) -> str:
    return json.dumps(event.to_dict()["data"], ensure_ascii=False, separators=(",", ":"))


_TELLERS: dict[type[Event], Callable[[Any], str]] = {
    MessageEvent: _message,
    MessageUpdateEvent: _update,
    MessageEditEvent: _edit,
    MessageDeleteEvent: _delete,
    MessagesSetEvent: _history,
    ConnectionEvent: _connection,
    QRCodeEvent: _qrcode,
    PresenceEvent: _presence,
    ContactsEvent: _contacts,
    ChatsEvent: _chats,
    GroupsEvent: _groups,
    GroupParticipantsEvent: _participants,
    CallEvent: _call,
    LabelEvent: _label,
    TypebotEvent: _typebot,
    InstanceEvent: _instance,
}
