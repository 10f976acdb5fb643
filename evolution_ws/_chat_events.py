"""Events about chats and the people in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from ._event import Event
from ._identity import find_person, to_jid, to_phone
from ._wire import as_dict, as_list, dicts, find_text, to_int, to_text, to_time


__all__ = [
    "CallEvent",
    "Chat",
    "ChatsEvent",
    "Contact",
    "ContactsEvent",
    "LabelEvent",
    "Presence",
    "PresenceEvent",
]


@attrs.frozen
class Presence:
    """What a person is doing in a chat."""

    state: str | None
    """``available``, ``unavailable``, ``composing``, ``recording`` or ``paused``."""
    last_seen: datetime | None
    """In UTC; None when it is hidden or not told."""


@attrs.frozen
class Contact:
    """An entry of the address book, or a person who wrote."""

    jid: str | None = attrs.field(repr=False)
    name: str | None = attrs.field(repr=False)
    picture_url: str | None = attrs.field(repr=False)
    """Address of the profile picture; expires. None when there is none or it is hidden."""

    @property
    def phone(self) -> str | None:
        """Digits of the phone number; None when only a LID is known."""
        return to_phone(self.jid)


@attrs.frozen
class Chat:
    """A chat of the instance."""

    jid: str | None = attrs.field(repr=False)
    """None where the server names the chat by its database id alone."""
    name: str | None = attrs.field(repr=False)
    unread: int | None
    """Number of unread messages; None when the event does not tell."""


class PresenceEvent(Event, types=("presence.update",)):
    """Somebody is typing, recording, came online or went away."""

    @property
    def chat(self) -> str | None:
        """Jid of the chat."""
        return to_jid(as_dict(self.data).get("id"))

    @property
    def presences(self) -> dict[str, Presence]:
        """What each person does, by jid."""
        return {
            jid: Presence(to_text(item.get("lastKnownPresence")), to_time(item.get("lastSeen")))
            for jid, item in _by_jid(as_dict(self.data).get("presences"))
        }


class ContactsEvent(Event, types=("contacts.set", "contacts.update", "contacts.upsert")):
    """Contacts are new or changed."""

    @property
    def contacts(self) -> list[Contact]:
        """The contacts; what did not change may be missing in each."""
        return [
            Contact(
                find_person(item.get("remoteJid"), item.get("id") if _has_jid(item) else None).jid,
                find_text(item, ("pushName",), ("name",), ("notify",), ("verifiedName",)),
                find_text(item, ("profilePicUrl",), ("profilePictureUrl",)),
            )
            for item in dicts(self.data)
        ]


class ChatsEvent(Event, types=("chats.delete", "chats.set", "chats.update", "chats.upsert")):
    """Chats are new, changed or deleted."""

    @property
    def chats(self) -> list[Chat]:
        """The chats, possibly none; a deleted one has its jid alone."""
        items = self.data if isinstance(self.data, list) else [self.data]
        return [_chat(item) for item in items if isinstance(item, (dict, str))]


class CallEvent(Event, types=("call",)):
    """
    A call rings, is answered or ends.

    A server sends up to three kinds for one call: a tidy one, and WhatsApp's own
    nodes as they came (:attr:`is_raw`). A program that counts calls wants the former.
    """

    @property
    def is_raw(self) -> bool:
        """Whether this is one of WhatsApp's own nodes, sent beside the tidy event."""
        return "packet" in as_dict(self.data)

    @property
    def call_id(self) -> str | None:
        """Name of the call, the same in all its events."""
        if self.is_raw:
            return find_text(self._offer, ("attrs", "call-id")) or find_text(
                self._packet, ("attrs", "call-id")
            )
        return to_text(as_dict(self.data).get("id"))

    @property
    def caller(self) -> str | None:
        """Jid of who calls, possibly a LID."""
        if self.is_raw:
            creator = find_text(self._offer, ("attrs", "call-creator"))
            return to_jid(creator or find_text(self._packet, ("attrs", "from")))
        return to_jid(as_dict(self.data).get("from"))

    @property
    def chat(self) -> str | None:
        """Jid of the chat."""
        if self.is_raw:
            return to_jid(find_text(self._packet, ("attrs", "from")))
        return to_jid(find_text(self.data, ("chatId",), ("groupJid",), ("from",)))

    @property
    def status(self) -> str | None:
        """``offer``, ``ringing``, ``timeout``, ``reject``, ``accept`` or ``terminate``."""
        if self.is_raw:
            return find_text(self._offer, ("tag",)) or find_text(self._packet, ("attrs", "type"))
        return to_text(as_dict(self.data).get("status"))

    @property
    def is_video(self) -> bool:
        """Whether the picture was asked for too."""
        if self.is_raw:
            return any(item.get("tag") == "video" for item in _children(self._offer))
        return as_dict(self.data).get("isVideo") is True

    @property
    def is_group(self) -> bool:
        """Whether a whole group is called."""
        if self.is_raw:
            return find_text(self._offer, ("attrs", "group-jid")) is not None
        return as_dict(self.data).get("isGroup") is True

    @property
    def at(self) -> datetime | None:
        """When WhatsApp noted it, in UTC."""
        if self.is_raw:
            return to_time(find_text(self._packet, ("attrs", "t")))
        return to_time(as_dict(self.data).get("date"))

    @property
    def _packet(self) -> dict[str, Any]:
        return as_dict(as_dict(self.data).get("packet"))

    @property
    def _offer(self) -> dict[str, Any]:
        return next(iter(_children(self._packet)), {})


class LabelEvent(Event, types=("labels.association", "labels.edit")):
    """A label was made, changed or deleted, or put on a chat or taken off."""

    @property
    def label_id(self) -> str | None:
        """Number of the label, as text."""
        return find_text(self.data, ("labelId",), ("id",))

    @property
    def name(self) -> str | None:
        """Name of the label; None when it is put on or taken off."""
        return to_text(as_dict(self.data).get("name"))

    @property
    def color(self) -> int | None:
        """Number of the colour; None when it is put on or taken off."""
        return to_int(as_dict(self.data).get("color"))

    @property
    def deleted(self) -> bool:
        """Whether the label itself was deleted; servers say so twice."""
        return as_dict(self.data).get("deleted") is True

    @property
    def action(self) -> str | None:
        """``add`` or ``remove`` for a label on a chat; None for the label itself."""
        return to_text(as_dict(self.data).get("type"))

    @property
    def chat(self) -> str | None:
        """Jid of the chat that the label was put on or taken off; else None."""
        return to_jid(as_dict(self.data).get("chatId"))


def _chat(item: dict[str, Any] | str) -> Chat:
    if isinstance(item, str):
        return Chat(to_jid(item), None, None)
    known = [item.get("remoteJid"), item.get("id") if _has_jid(item) else None]
    person = find_person(*known, item.get("remoteLid"))
    return Chat(person.jid, to_text(item.get("name")), to_int(item.get("unreadMessages")))


def _has_jid(item: dict[str, Any]) -> bool:
    # Version 1.8 has the jid under "id", where version 2 has that of the database.
    return isinstance(item.get("id"), str) and "@" in item["id"]


def _by_jid(presences: object) -> list[tuple[str, dict[str, Any]]]:
    pairs = [(to_jid(name), as_dict(item)) for name, item in as_dict(presences).items()]
    return [(jid, item) for jid, item in pairs if jid is not None]


def _children(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in as_list(node.get("content")) if isinstance(item, dict)]
