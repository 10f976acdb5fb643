"""
Who wrote, and where: jids, phone numbers and LIDs over all server versions.

WhatsApp addresses a person by phone number or by a hidden id (LID). Servers put
the two into different keys, swap them, or drop one; here the phone jid is the
name of a person wherever it is known, and the LID where it is all there is.
"""

from __future__ import annotations

from typing import Any

import attrs

from ._wire import to_text


__all__ = ["Person", "chat_of", "find_person", "is_group", "to_jid", "to_phone", "writer_of"]

_PHONE_SERVER = "@s.whatsapp.net"
_LID_SERVERS = ("@lid", "@hosted.lid")

# The longest phone number (E.164); a longer run of digits is the id of a group.
_MAX_PHONE_DIGITS = 15


@attrs.frozen
class Person:
    """What is known of one person; each is None when the server does not tell it."""

    jid: str | None
    """The phone jid, else the LID."""
    phone: str | None = attrs.field(repr=False)
    """Digits of the phone number."""
    lid: str | None
    """The hidden id, ``…@lid``."""


def to_jid(value: object) -> str | None:
    """Return a jid without device suffix; the server's bare numbers get their domain."""
    text = to_text(value)
    if text is None:
        return None
    user, at, server = text.partition("@")
    if not at:
        return _complete(text)
    user = user.partition(":")[0]
    server = "s.whatsapp.net" if server == "c.us" else server
    return f"{user}@{server}" if user and server else None


def to_phone(jid: str | None) -> str | None:
    """Return the digits of a phone jid, None for every other kind of jid."""
    if jid is None or not jid.endswith(_PHONE_SERVER):
        return None
    user = jid[: -len(_PHONE_SERVER)]
    return user if user.isascii() and user.isdigit() else None


def is_group(jid: str | None) -> bool:
    """Return whether *jid* is that of a group."""
    return jid is not None and jid.endswith("@g.us")


def find_person(*candidates: object) -> Person:
    """Return what the *candidates*, all spellings of one person, tell together."""
    jids = [jid for jid in map(to_jid, candidates) if jid is not None]
    by_phone = next((jid for jid in jids if to_phone(jid)), None)
    lid = next((jid for jid in jids if jid.endswith(_LID_SERVERS)), None)
    first = jids[0] if jids else None
    return Person(by_phone or lid or first, to_phone(by_phone), lid)


def chat_of(key: dict[str, Any]) -> str | None:
    """Return the chat's jid: the phone jid of a direct chat wherever it is known."""
    chat = to_jid(key.get("remoteJid"))
    if chat is None or not chat.endswith(_LID_SERVERS):
        return chat
    # The sender is the other end of the chat only when the message came in.
    sender = None if key.get("fromMe") is True else key.get("senderPn")
    return find_person(chat, key.get("remoteJidAlt"), sender).jid


def writer_of(key: dict[str, Any], own_jid: object = None, participant: object = None) -> Person:
    """
    Return who wrote the message that *key* names.

    Args:
        key:
            The message's key.
        own_jid:
            The instance's own jid, the writer of messages from me.
        participant:
            A participant told beside the key, as older servers do.
    """
    in_chat = [key.get(name) for name in _PARTICIPANT_KEYS] + [participant]
    if key.get("fromMe") is True:
        return find_person(own_jid, *in_chat)
    if any(map(to_text, in_chat)):
        return find_person(*in_chat, *(key.get(name) for name in ("senderPn", "senderLid")))
    chat = to_jid(key.get("remoteJid"))
    if chat is not None and chat.endswith(("@g.us", "@broadcast")):
        return find_person(key.get("senderPn"), key.get("senderLid"))
    return find_person(*(key.get(name) for name in _DIRECT_KEYS))


_PARTICIPANT_KEYS = ("participant", "participantAlt", "participantPn", "participantLid")
_DIRECT_KEYS = ("remoteJid", "remoteJidAlt", "senderPn", "previousRemoteJid", "senderLid")


def _complete(text: str) -> str:
    digits = text.lstrip("+")
    if not digits.replace("-", "").isdigit() or not digits.isascii():
        return text
    group = "-" in digits or len(digits) > _MAX_PHONE_DIGITS
    return digits + ("@g.us" if group else _PHONE_SERVER)
