"""Messages for tests, in each of the encodings that servers use."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, Literal

from ..events import Event, MessageEvent, parse_event


__all__ = [
    "ANA",
    "GROUP",
    "OWN_JID",
    "PNG",
    "Generation",
    "audio",
    "event",
    "image",
    "jid",
    "location",
    "message",
    "poll_vote",
    "reaction",
    "seconds",
    "text",
]

Generation = Literal["A", "B", "C"]

OWN_JID = "5511900000000@s.whatsapp.net"
ANA = "5511900000001"
GROUP = "120363000000000001@g.us"

# One grey pixel, which is enough of a picture to be one.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


class _Int64(int):
    """A number that the three generations write in three ways."""


def event(
    type: str,  # noqa: A002 - the name of the attribute
    data: Any,
    *,
    instance: str = "demo",
    at: float | None = None,
    **extra: Any,
) -> Event:
    """
    Return an event of any type.

    Args:
        type:
            Name of the event on the wire.
        data:
            The payload.
        instance:
            Name of the instance.
        at:
            Unix time in seconds; None means now.
        extra:
            Further top-level keys of the envelope.
    """
    when = datetime.fromtimestamp(seconds(at), timezone.utc)
    envelope = {
        **extra,
        "event": type,
        "instance": instance,
        "data": data,
        "server_url": "http://localhost:8080",
        "date_time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "sender": OWN_JID,
        "apikey": None,
    }
    return parse_event(type, envelope, namespace=f"/{instance}", received_at=seconds(at))


def message(
    content: dict[str, Any],
    message_type: str,
    *,
    sender: str = ANA,
    instance: str = "demo",
    generation: Generation = "C",
    from_me: bool = False,
    group: str | None = None,
    id: str | None = None,  # noqa: A002 - the name of the attribute
    at: float | None = None,
    push_name: str | None = "Ana",
    sent: bool = False,
    extra: dict[str, Any] | None = None,
) -> MessageEvent:
    """
    Return an event with any message.

    Args:
        content:
            What stands under ``data.message``, with bytes as bytes.
        message_type:
            The server's name for the kind of message.
        sender:
            Number or jid of the person at the other end; in a group of who wrote.
        instance:
            Name of the instance.
        generation:
            How the content is encoded.
        from_me:
            Whether the instance's owner wrote it on a device.
        group:
            Jid of a group; None for a direct chat.
        id:
            WhatsApp's id of the message; None invents one.
        at:
            Unix time in seconds; None means now.
        push_name:
            The name that the writer goes by; None leaves it out.
        sent:
            Whether it went out through the API: ``send.message`` instead of
            ``messages.upsert``.
        extra:
            Further keys of ``data``.
    """
    own = from_me or sent
    key: dict[str, Any] = {
        "remoteJid": group or jid(sender),
        "fromMe": own,
        "id": id or f"3EB0{uuid.uuid4().hex[:16].upper()}",
    }
    if group is not None and not own:
        key["participant"] = jid(sender)
    data = {
        "key": key,
        "pushName": "Você" if own else push_name,
        "status": "PENDING" if sent else "SERVER_ACK" if own else "DELIVERY_ACK",
        "message": _encoded(content, generation),
        "messageType": message_type,
        "messageTimestamp": int(seconds(at)),
        "instanceId": "00000000-0000-4000-8000-000000000001",
        "source": "web" if sent else "android",
        **(extra or {}),
    }
    if generation == "A":
        del data["status"], data["instanceId"]
        data["owner"] = instance
    elif not own and group is None:
        key.update({"participant": "", "addressingMode": "pn"} if generation == "C" else {})
    made = event("send.message" if sent else "messages.upsert", data, instance=instance, at=at)
    assert isinstance(made, MessageEvent)
    return made


def text(body: str, *, quoted: str | None = None, **options: Any) -> MessageEvent:
    """
    Return an event with a text message.

    Args:
        body:
            The text.
        quoted:
            Id of the message that it answers; None if it answers none.
        options:
            As for :func:`message`, like those of the functions below.
    """
    context: dict[str, Any] = {"mentionedJid": []}
    if quoted is not None:
        context.update(
            stanzaId=quoted, participant=OWN_JID, quotedMessage={"conversation": "antes"}
        )
    if options.get("generation") == "A":
        content: dict[str, Any] = {"extendedTextMessage": {"text": body, "contextInfo": context}}
        return message(content, "extendedTextMessage", **options)
    options["extra"] = {"contextInfo": context, **options.get("extra", {})}
    return message({"conversation": body, **_secret()}, "conversation", **options)


def image(caption: str | None = None, *, data: bytes | None = PNG, **options: Any) -> MessageEvent:
    """
    Return an event with a picture.

    Args:
        caption:
            The text below it; None for none.
        data:
            The file; None for a server that does not send files along.
        options:
            As for :func:`message`.
    """
    body = {**_file("image/png", len(data or b"") or 48213), "width": 640, "height": 480}
    if caption is not None:
        body["caption"] = caption
    return message(
        {"imageMessage": body, **_attached(data), **_secret()}, "imageMessage", **options
    )


def audio(
    transcription: str | None = None,
    *,
    data: bytes | None = None,
    length: int = 7,
    **options: Any,
) -> MessageEvent:
    """
    Return an event with a voice message.

    Args:
        transcription:
            What the server's speech recognition heard; None where it is off.
        data:
            The file; None for a server that does not send files along.
        length:
            In seconds.
        options:
            As for :func:`message`.
    """
    body = {**_file("audio/ogg; codecs=opus", 15360), "seconds": length, "ptt": True}
    heard = {} if transcription is None else {"speechToText": transcription}
    content = {"audioMessage": body, **_attached(data), **heard, **_secret()}
    return message(content, "audioMessage", **options)


def location(latitude: float, longitude: float, name: str = "", **options: Any) -> MessageEvent:
    """Return an event with a place; *options* as for :func:`message`."""
    body = {"degreesLatitude": latitude, "degreesLongitude": longitude, "name": name}
    return message({"locationMessage": body, **_secret()}, "locationMessage", **options)


def reaction(emoji: str, message_id: str, **options: Any) -> MessageEvent:
    """Return an event with a reaction, ``""`` to take it back; *options* as for :func:`message`."""
    body: dict[str, Any] = {"key": {"id": message_id, "fromMe": True}, "text": emoji}
    body["senderTimestampMs"] = _Int64(seconds(options.get("at")) * 1000)
    return message({"reactionMessage": body}, "reactionMessage", **options)


def poll_vote(chosen: Sequence[str], poll_id: str, **options: Any) -> MessageEvent:
    """Return an event with a decrypted vote; *options* as for :func:`message`."""
    body = {
        "pollCreationMessageKey": {"id": poll_id, "fromMe": True},
        "vote": {"encPayload": bytes(32), "selectedOptions": list(chosen)},
    }
    voter = jid(options.get("sender", ANA))
    votes = [{"name": name, "voters": [voter]} for name in chosen]
    options["extra"] = {"pollUpdates": votes, **options.get("extra", {})}
    return message({"pollUpdateMessage": body}, "pollUpdateMessage", **options)


def jid(number: str) -> str:
    """Return the jid of a phone number; a jid stays as it is."""
    return number if "@" in number else f"{number}@s.whatsapp.net"


def seconds(at: float | None) -> float:
    """Return a Unix time in seconds, the current one for None."""
    return time.time() if at is None else at


def _secret() -> dict[str, Any]:
    # Nearly every message has bytes in it, which is what makes its event a binary one.
    return {"messageContextInfo": {"messageSecret": bytes(range(32))}}


def _file(mimetype: str, size: int) -> dict[str, Any]:
    return {
        "url": "https://mmg.whatsapp.net/v/t62.7118-24/invented",
        "mimetype": mimetype,
        "fileLength": _Int64(size),
        "mediaKey": bytes(range(32)),
    }


def _attached(data: bytes | None) -> dict[str, Any]:
    return {} if data is None else {"base64": base64.b64encode(data).decode("ascii")}


def _encoded(value: Any, generation: Generation) -> Any:
    if isinstance(value, dict):
        return {key: _encoded(item, generation) for key, item in value.items()}
    if isinstance(value, list):
        return [_encoded(item, generation) for item in value]
    if isinstance(value, bytes):
        indexed = {str(index): byte for index, byte in enumerate(value)}
        return {"A": base64.b64encode(value).decode("ascii"), "B": indexed, "C": value}[generation]
    return _encoded_number(value, generation) if isinstance(value, _Int64) else value


def _encoded_number(value: int, generation: Generation) -> Any:
    if generation == "C":
        low = value & 0xFFFFFFFF  # the halves of a Long are signed
        low -= 2**32 if low >= 2**31 else 0
        return {"low": low, "high": value >> 32, "unsigned": True}
    return str(value) if generation == "A" else int(value)
