"""Events about messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ._content import look_into, text_of
from ._event import Event
from ._event_id import message_key
from ._identity import chat_of, find_person, to_jid
from ._status import status_name
from ._wire import as_dict, dicts, to_float, to_text, to_time
from .messages import Message


__all__ = [
    "MessageDeleteEvent",
    "MessageEditEvent",
    "MessageEvent",
    "MessageUpdateEvent",
    "MessagesSetEvent",
]


class MessageEvent(Event, types=("messages.upsert", "send.message")):
    """
    A message came in, or was sent.

    ``messages.upsert`` brings what others write and what the account's owner writes on
    a device; ``send.message`` what was sent through the API.
    """

    @property
    def message(self) -> Message:
        """The message; with empty attributes when the server sent none."""
        return Message(next(dicts(self.data), {}), self.sender)

    def _local_id(self) -> str:
        key = next(dicts(self.data), {}).get("key")
        return message_key(key) or super()._local_id()


class MessagesSetEvent(Event, types=("messages.set",)):
    """A piece of the account's history, sent while a newly linked device synchronises."""

    @property
    def messages(self) -> list[Message]:
        """The messages, possibly none, possibly thousands."""
        return [Message(item, self.sender) for item in dicts(self.data)]

    @property
    def is_latest(self) -> bool | None:
        """Whether this is the newest piece; None on servers that do not tell."""
        told = self.extra.get("isLatest")
        return told if isinstance(told, bool) else None

    @property
    def progress(self) -> float | None:
        """Percent synchronised so far; None when the server does not tell."""
        return to_float(self.extra.get("progress"))


class _AboutMessage(Event):
    """Something happened to a message that is known by its key."""

    @property
    def message_id(self) -> str | None:
        """WhatsApp's id of the message concerned."""
        return to_text(self._key.get("id"))

    @property
    def chat(self) -> str | None:
        """Jid of the chat; a LID where the server tells nothing else."""
        return chat_of(self._key)

    @property
    def from_me(self) -> bool:
        """Whether the message concerned is the instance's own."""
        return self._key.get("fromMe") is True

    @property
    def participant(self) -> str | None:
        """In groups the jid of the person concerned, without device; else None."""
        key = self._key
        return find_person(key.get("participant"), key.get("participantAlt")).jid

    @property
    def _key(self) -> dict[str, Any]:
        data = as_dict(self.data)
        # Older servers write the key itself, newer ones put it under a name.
        return as_dict(data["key"]) if isinstance(data.get("key"), dict) else data


class MessageUpdateEvent(_AboutMessage, types=("messages.update",)):
    """
    A message was delivered, read, played, failed or edited.

    Servers repeat these, and do not keep their order.
    """

    @property
    def message_id(self) -> str | None:
        """WhatsApp's id of the message concerned."""
        return to_text(as_dict(self.data).get("keyId")) or super().message_id

    @property
    def status(self) -> str | None:
        """
        How far the message came, or what went wrong with it.

        ``ERROR``, ``PENDING``, ``SERVER_ACK``, ``DELIVERY_ACK``, ``READ``, ``PLAYED``; the
        official API's channel says ``SENT``, ``DELIVERED``, ``READ``, ``FAILED``. For an
        edit it means nothing.
        """
        return status_name(as_dict(self.data).get("status"))

    @property
    def text(self) -> str | None:
        """The new text after an edit; None for receipts."""
        return text_of(look_into(as_dict(self.data).get("message")))


class MessageEditEvent(_AboutMessage, types=("messages.edited", "send.message.update")):
    """
    A message was edited; or revoked, or a setting of the chat changed.

    The server reports all of these under one name: ask :attr:`is_edit` first.
    """

    @property
    def text(self) -> str | None:
        """The new text; None unless this is an edit."""
        return text_of(look_into(as_dict(self.data).get("editedMessage")))

    @property
    def is_edit(self) -> bool:
        """Whether the message has a new text."""
        told = as_dict(self.data).get("type")
        edited = isinstance(as_dict(self.data).get("editedMessage"), dict)
        return edited and told in ("MESSAGE_EDIT", _MESSAGE_EDIT, None)

    @property
    def is_revoke(self) -> bool:
        """Whether the message was deleted for everyone."""
        told = as_dict(self.data).get("type")
        return told in ("REVOKE", _REVOKE) and not isinstance(told, bool)

    @property
    def at(self) -> datetime | None:
        """When it was edited, in UTC; None when not told."""
        return to_time(as_dict(self.data).get("timestampMs"))


class MessageDeleteEvent(_AboutMessage, types=("messages.delete",)):
    """A message was deleted, by someone on WhatsApp or through the API."""

    @property
    def participant(self) -> str | None:
        """In groups the jid of who wrote or deleted it, without device; else None."""
        return super().participant or to_jid(as_dict(self.data).get("participant"))

    @property
    def message(self) -> Message | None:
        """The deleted message, where the server still had it; else None."""
        data = as_dict(self.data)
        return Message(data, self.sender) if isinstance(data.get("message"), dict) else None


# WhatsApp's own numbers, which one of the two events uses instead of the names.
_REVOKE = 0
_MESSAGE_EDIT = 14
