"""
Events for tests: as a server would send them, with invented people.

Each function returns a typed event; ``event.to_envelope()`` is the same thing as a
server puts it on the wire, with ``bytes`` where a message has bytes::

    event = build.text("Oi", sender="5511900000001", instance="sales")
    assert event.message.text == "Oi"
    server.emit(event.type, event.to_envelope()["data"], instance="sales")

*generation* chooses how message contents are encoded, and with it the shapes of the
servers that encode so: ``"A"`` is version 1.8, ``"B"`` is 2.3.3 to 2.3.5, ``"C"`` is
2.3.6 and later.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from ..events import Event, MessageEvent
from ._build_messages import (
    ANA,
    GROUP,
    OWN_JID,
    PNG,
    Generation,
    audio,
    event,
    image,
    jid,
    location,
    message,
    poll_vote,
    reaction,
    seconds,
    text,
)


__all__ = [
    # messages
    "Generation",
    "audio",
    "image",
    "location",
    "message",
    "poll_vote",
    "reaction",
    "text",
    # what happens to messages
    "deletion",
    "edit",
    "history",
    "receipt",
    # everything else
    "call",
    "connection",
    "contacts",
    "event",
    "group_change",
    "presence",
    "qrcode",
    "samples",
]


def history(
    messages: Sequence[MessageEvent],
    *,
    instance: str = "demo",
    is_latest: bool = False,
    progress: int | None = None,
) -> Event:
    """Return a piece of the account's history, with these *messages* in it."""
    data = [item.data for item in messages]
    return event("messages.set", data, instance=instance, isLatest=is_latest, progress=progress)


def receipt(
    message_id: str,
    status: str = "READ",
    *,
    chat: str = ANA,
    instance: str = "demo",
    generation: Generation = "C",
    at: float | None = None,
) -> Event:
    """
    Return the news that a message of the instance was delivered, read or played.

    Args:
        message_id:
            WhatsApp's id of the message.
        status:
            ``SERVER_ACK``, ``DELIVERY_ACK``, ``READ``, ``PLAYED`` or ``ERROR``.
        chat:
            Number or jid of the chat.
        instance:
            Name of the instance.
        generation:
            Whose shape it has.
        at:
            Unix time in seconds; None means now.
    """
    data: dict[str, Any] = {"remoteJid": jid(chat), "fromMe": True, "status": status}
    if generation == "A":
        data = {**data, "id": message_id, "datetime": int(seconds(at) * 1000), "owner": instance}
    else:
        data = {"keyId": message_id, **data, "messageId": "cm00000000000000000000001"}
    return event("messages.update", data, instance=instance, at=at)


def edit(body: str, message_id: str, *, chat: str = ANA, instance: str = "demo") -> Event:
    """Return the news that somebody changed the text of a message to *body*."""
    data = {
        "key": {"remoteJid": jid(chat), "fromMe": False, "id": message_id},
        "type": "MESSAGE_EDIT",
        "editedMessage": {"conversation": body},
        "timestampMs": str(int(seconds(None) * 1000)),
    }
    return event("messages.edited", data, instance=instance)


def deletion(message_id: str, *, chat: str = ANA, instance: str = "demo") -> Event:
    """Return the news that somebody deleted a message for everyone."""
    key = {"remoteJid": jid(chat), "fromMe": False, "id": message_id, "participant": ""}
    return event("messages.delete", {**key, "status": "DELETED"}, instance=instance)


def connection(state: str = "open", reason: int = 200, *, instance: str = "demo") -> Event:
    """
    Return the news that the instance's connection to WhatsApp changed.

    Args:
        state:
            ``open``, ``connecting``, ``close`` or ``refused``.
        reason:
            WhatsApp's status code; 401 with ``close`` means logged out.
        instance:
            Name of the instance.
    """
    data: dict[str, Any] = {"instance": instance, "state": state, "statusReason": reason}
    if state == "open":
        data.update(wuid=OWN_JID, profileName="Loja Exemplo", profilePictureUrl=None)
    return event("connection.update", data, instance=instance)


def qrcode(
    code: str | None = "2@invented", *, pairing_code: str | None = None, instance: str = "demo"
) -> Event:
    """
    Return a code to scan.

    Args:
        code:
            What it says; None for the news that nobody scanned in time.
        pairing_code:
            The code to type instead; None for none.
        instance:
            Name of the instance.
    """
    if code is None:
        limit = {"message": "QR code limit reached, please login again", "statusCode": 500}
        return event("qrcode.updated", limit, instance=instance)
    picture = "data:image/png;base64," + base64.b64encode(PNG).decode("ascii")
    shown = {"instance": instance, "pairingCode": pairing_code, "code": code, "base64": picture}
    return event("qrcode.updated", {"qrcode": shown}, instance=instance)


def presence(state: str = "composing", *, chat: str = ANA, instance: str = "demo") -> Event:
    """Return the news that somebody is ``composing``, ``recording``, ``available`` and so on."""
    person = jid(chat)
    data = {"id": person, "presences": {person: {"lastKnownPresence": state}}}
    return event("presence.update", data, instance=instance)


def contacts(people: dict[str, str], *, instance: str = "demo") -> Event:
    """Return changed contacts: *people* has their names by number or jid."""
    data = [
        {"remoteJid": jid(number), "pushName": name, "profilePicUrl": None}
        for number, name in people.items()
    ]
    return event("contacts.update", data, instance=instance)


def group_change(
    action: str = "add",
    participants: Sequence[str] = (ANA,),
    *,
    group: str = GROUP,
    instance: str = "demo",
    generation: Generation = "C",
) -> Event:
    """
    Return the news that members of a group came, went or changed their rank.

    Args:
        action:
            ``add``, ``remove``, ``promote`` or ``demote``.
        participants:
            Their numbers or jids.
        group:
            Jid of the group.
        instance:
            Name of the instance.
        generation:
            Whose shape it has: the newest writes dicts where others write jids.
    """
    jids = [jid(item) for item in participants]
    members: list[Any] = [{"id": item, "admin": None} for item in jids]
    data = {
        "id": group,
        "author": OWN_JID,
        "participants": members if generation == "C" else jids,
        "action": action,
    }
    return event("group-participants.update", data, instance=instance)


def call(status: str = "offer", *, caller: str = ANA, instance: str = "demo") -> Event:
    """Return the news that somebody calls: ``offer``, ``accept``, ``reject``, ``timeout``…"""
    person = jid(caller)
    when = "2026-01-02T03:04:05.000Z"
    data = {"chatId": person, "from": person, "id": "CALL0001", "date": when, "status": status}
    return event("call", {**data, "offline": False, "isVideo": False}, instance=instance)


def samples(instance: str = "demo", generation: Generation = "C") -> list[dict[str, Any]]:
    """
    Return one envelope of each kind, for demonstrations and first tests.

    Args:
        instance:
            Name of the instance that they come from.
        generation:
            How their contents are encoded.
    """
    bruno = "5511900000002"
    common: dict[str, Any] = {"instance": instance, "generation": generation}
    question = text("Bom dia! Vocês abrem no sábado?", **common)
    asked = str(question.message.id)
    answer = text("Abrimos às 9h.", quoted=asked, sent=True, **common)
    answered = str(answer.message.id)
    in_group = {"group": GROUP, "sender": bruno, "push_name": "Bruno", **common}
    made: list[Event] = [
        qrcode(instance=instance),
        connection(instance=instance),
        presence(instance=instance),
        question,
        answer,
        receipt(answered, "DELIVERY_ACK", **common),
        receipt(answered, "READ", **common),
        reaction("👍", answered, **common),
        image("Comprovante", **common),
        audio("Podem separar dois, por favor?", **common),
        location(-23.5614, -46.6559, "MASP", **common),
        text("Reunião às 10h", **in_group),
        poll_vote(["Tarde"], answered, **in_group),
        group_change("add", [bruno], **common),
        contacts({ANA: "Ana", bruno: "Bruno"}, instance=instance),
        call(instance=instance),
        edit("Bom dia! Vocês abrem no domingo?", asked, instance=instance),
        deletion(asked, instance=instance),
    ]
    return [item.to_envelope() for item in made]
