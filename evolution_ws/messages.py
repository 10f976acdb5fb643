"""
WhatsApp messages: the same attributes whatever the server's version and channel.

:class:`Message` is what ``event.message`` gives; the other classes are its parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from ._content import MEDIA_KINDS, Content, contexts, kind_of, look_into, text_of
from ._event_id import discreet
from ._identity import Person, chat_of, is_group, to_jid, writer_of
from ._parts import (
    Location,
    Media,
    Poll,
    Quoted,
    Reaction,
    Selection,
    SharedContact,
    read_contacts,
    read_location,
    read_media,
    read_poll,
    read_quoted,
    read_reaction,
    read_selection,
)
from ._status import furthest, status_name
from ._wire import as_dict, as_list, dicts, to_text, to_time


__all__ = [
    "Location",
    "Media",
    "Message",
    "Poll",
    "Quoted",
    "Reaction",
    "Selection",
    "SharedContact",
]


@attrs.frozen(repr=False)
class Message:
    """
    One WhatsApp message.

    A view of what the server sent: attributes are computed when they are read and
    are None (or empty) for what is not there. Two messages are equal when the
    server wrote the same; they cannot be hashed, :attr:`id` names them.

    Args:
        raw:
            The message as in the ``data`` of ``messages.upsert``, or a record of the
            server's history.
        own_jid:
            The instance's own jid, the sender of messages from me; None if unknown.
    """

    raw: Mapping[str, Any]
    """What the server sent."""
    _own_jid: str | None = attrs.field(default=None, eq=False)

    @property
    def id(self) -> str | None:
        """WhatsApp's id of the message."""
        return to_text(self._key.get("id"))

    @property
    def chat(self) -> str | None:
        """
        Jid of the chat.

        In a direct chat the other person's phone jid wherever the server tells it,
        else the LID.
        """
        return chat_of(self._key)

    @property
    def sender(self) -> str | None:
        """Jid of the person who wrote: the phone jid wherever it is known, else the LID."""
        return self._writer.jid

    @property
    def phone(self) -> str | None:
        """Digits of the phone number of the person who wrote; None when only a LID is known."""
        return self._writer.phone

    @property
    def lid(self) -> str | None:
        """The hidden id (``…@lid``) of the person who wrote; None when the server dropped it."""
        return self._writer.lid

    @property
    def from_me(self) -> bool:
        """Whether the instance's own account wrote it, on any of its devices."""
        return self._key.get("fromMe") is True

    @property
    def is_group(self) -> bool:
        """Whether the chat is a group."""
        return is_group(self.chat)

    @property
    def push_name(self) -> str | None:
        """The name that the writer goes by."""
        return to_text(self.raw.get("pushName"))

    @property
    def kind(self) -> str:
        """
        What kind of message it is, whatever it is wrapped in.

        One of ``text``, ``image``, ``video``, ``audio``, ``document``, ``sticker``,
        ``location``, ``contact``, ``reaction``, ``poll``, ``poll_vote``, ``selection``,
        ``interactive`` and ``unknown``.
        """
        return kind_of(self._content, self.raw.get("messageType"))

    @property
    def text(self) -> str | None:
        """
        What a person would read; None when there is nothing to read.

        The text or caption, the option chosen, the transcription of a recording, the
        question of a poll, the emoji of a reaction, the name of a place, contact,
        event or product.
        """
        content = self._content
        if content.key == "pollUpdateMessage":
            return ", ".join(read_poll(content, self.raw).selected or ()) or None
        if self.kind == "selection":
            choice = read_selection(content)
            return choice.text or choice.id
        return text_of(content)

    @property
    def media(self) -> Media | None:
        """The picture, video, recording, document or sticker; None in other messages."""
        kind = self.kind
        return read_media(kind, self._content, self.raw) if kind in MEDIA_KINDS else None

    @property
    def location(self) -> Location | None:
        """The place shown; None in other messages."""
        return read_location(self._content) if self.kind == "location" else None

    @property
    def contacts(self) -> list[SharedContact]:
        """The contacts shared; empty in other messages."""
        return read_contacts(self._content) if self.kind == "contact" else []

    @property
    def reaction(self) -> Reaction | None:
        """The reaction; None in other messages."""
        return read_reaction(self._content) if self.kind == "reaction" else None

    @property
    def poll(self) -> Poll | None:
        """The poll or the vote; None in other messages."""
        return read_poll(self._content, self.raw) if self.kind in ("poll", "poll_vote") else None

    @property
    def selection(self) -> Selection | None:
        """The choice made among buttons or in a list; None in other messages."""
        return read_selection(self._content) if self.kind == "selection" else None

    @property
    def quoted(self) -> Quoted | None:
        """The message that this one answers; None if it answers none."""
        found = map(read_quoted, self._contexts())
        return next((quoted for quoted in found if quoted is not None), None)

    @property
    def mentions(self) -> list[str]:
        """Jids of those mentioned by name; as the server wrote them, possibly LIDs."""
        for context in self._contexts():
            jids = [to_jid(item) for item in as_list(context.get("mentionedJid"))]
            if jids:
                return [jid for jid in jids if jid is not None]
        return []

    @property
    def timestamp(self) -> datetime | None:
        """When it was sent, in UTC and to the second."""
        return to_time(self.raw.get("messageTimestamp"))

    @property
    def status(self) -> str | None:
        """
        How far it came: ``ERROR``, ``PENDING``, ``SERVER_ACK``, ``DELIVERY_ACK``, ``READ``
        or ``PLAYED``; None when the server does not tell, as older ones.
        """
        told = status_name(self.raw.get("status"))
        # A record of the history has the receipts instead, in no order.
        return told or furthest(item.get("status") for item in dicts(self.raw.get("MessageUpdate")))

    @property
    def source(self) -> str | None:
        """The writer's device: ``android``, ``ios``, ``web``, ``desktop`` or ``unknown``."""
        return to_text(self.raw.get("source"))

    @property
    def edited(self) -> bool:
        """Whether it replaces the text of an earlier message."""
        return self._content.edited

    def __repr__(self) -> str:
        return f"Message({discreet(self.id)}, kind={self.kind!r}, from_me={self.from_me})"

    @property
    def _key(self) -> dict[str, Any]:
        return as_dict(self.raw.get("key"))

    @property
    def _content(self) -> Content:
        return look_into(self.raw.get("message"))

    @property
    def _writer(self) -> Person:
        return writer_of(self._key, self._own_jid, self.raw.get("participant"))

    def _contexts(self) -> list[dict[str, Any]]:
        return list(contexts(dict(self.raw), self._content))
