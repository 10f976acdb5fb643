"""
The parts of a message, and how they are read from its content.

What people wrote, where they are and whom they know stays out of every ``repr``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from ._content import Content, look_into, text_of
from ._event_id import discreet
from ._identity import to_jid
from ._wire import (
    as_dict,
    as_list,
    dicts,
    find_text,
    from_json,
    to_bytes,
    to_float,
    to_int,
    to_text,
)
from .exceptions import ConfigError


__all__ = [
    "Location",
    "Media",
    "Poll",
    "Quoted",
    "Reaction",
    "Selection",
    "SharedContact",
    "read_contacts",
    "read_location",
    "read_media",
    "read_poll",
    "read_quoted",
    "read_reaction",
    "read_selection",
]


@attrs.frozen
class Media:
    """A picture, video, voice message, document or sticker."""

    kind: str
    """``"image"``, ``"video"``, ``"audio"``, ``"document"`` or ``"sticker"``."""
    mimetype: str | None
    file_name: str | None = attrs.field(repr=False)
    size: int | None
    """Bytes of the file, as the sender told it."""
    seconds: int | None
    """Length of a video or a recording."""
    width: int | None
    """In pixels."""
    height: int | None
    """In pixels."""
    caption: str | None = attrs.field(repr=False)
    url: str | None = attrs.field(repr=False)
    """
    Where the file is: the server's own storage when it has one, else WhatsApp's.

    The latter holds it encrypted, so it is of little use by itself.
    """
    _encoded: Any = attrs.field(repr=False)

    @property
    def data(self) -> bytes | None:
        """
        The file, if the server sent it with the event; None otherwise.

        Servers do when base64 is on in the instance's webhook settings.
        """
        return to_bytes(self._encoded) or None

    def save(self, path: str | Path) -> Path:
        """
        Write the file to *path* and return where it went.

        Raises:
            ConfigError: The server sent no bytes with this message.
            OSError: The file cannot be written.
        """
        data = self.data
        if data is None:
            raise ConfigError(
                f"the server sent no bytes with this {self.kind}: fetch them with "
                "Api.media_base64(), or switch on base64 in the instance's webhook settings "
                "and restart the instance"
            )
        target = Path(path)
        target.write_bytes(data)
        return target


@attrs.frozen
class Location:
    """A place."""

    latitude: float | None = attrs.field(repr=False)
    """In degrees, north is positive."""
    longitude: float | None = attrs.field(repr=False)
    """In degrees, east is positive."""
    name: str | None = attrs.field(repr=False)
    address: str | None = attrs.field(repr=False)


@attrs.frozen
class SharedContact:
    """A card of the address book that was sent as a message."""

    name: str | None = attrs.field(repr=False)
    phones: tuple[str, ...] = attrs.field(repr=False)
    """Digits only; the number on WhatsApp where the card tells it."""


@attrs.frozen
class Reaction:
    """An emoji on another message."""

    text: str | None = attrs.field(repr=False)
    """The emoji; None when it was taken back."""
    message_id: str | None = attrs.field(repr=discreet)
    """The message reacted to."""
    removed: bool


@attrs.frozen
class Selection:
    """An answer to buttons, a list, a template or an interactive message."""

    id: str | None
    """The choice's id as the asking program gave it; the official API's channel drops it."""
    text: str | None = attrs.field(repr=False)
    """The choice as the person saw it."""


@attrs.frozen
class Poll:
    """A question with options, or one person's vote on it."""

    question: str | None = attrs.field(repr=False)
    """None in a vote: only the poll itself carries it."""
    options: tuple[str, ...] = attrs.field(repr=False)
    """Every option; in a vote those the server knows, often none."""
    message_id: str | None = attrs.field(repr=discreet)
    """In a vote the id of the poll's message, in a poll None."""
    selected: tuple[str, ...] | None = attrs.field(repr=False)
    """What was voted for; empty when taken back, None where not decrypted and in a poll."""
    votes: Mapping[str, tuple[str, ...]] = attrs.field(repr=False)
    """Jids by option, of this one vote; empty where not decrypted."""


@attrs.frozen
class Quoted:
    """The message that a message answers, as far as it was repeated."""

    id: str = attrs.field(repr=discreet)
    text: str | None = attrs.field(repr=False)
    sender: str | None = attrs.field(repr=False)
    """Jid of who wrote it."""


def read_media(kind: str, content: Content, raw: Mapping[str, Any]) -> Media:
    """Return the media of a message of that *kind*."""
    body = as_dict(content.body)
    return Media(
        kind=kind,
        mimetype=find_text(body, ("mimetype",), ("mime_type",)),
        file_name=find_text(body, ("fileName",), ("filename",), ("title",)),
        size=to_int(body.get("fileLength")),
        seconds=to_int(body.get("seconds")),
        width=to_int(body.get("width")),
        height=to_int(body.get("height")),
        caption=to_text(body.get("caption")),
        url=to_text(content.beside("mediaUrl")) or to_text(body.get("url")),
        encoded=content.beside("base64") or raw.get("base64"),
    )


def read_location(content: Content) -> Location:
    """Return the place that a message shows."""
    body = as_dict(content.body)
    return Location(
        to_float(body.get("degreesLatitude", body.get("latitude"))),
        to_float(body.get("degreesLongitude", body.get("longitude"))),
        to_text(body.get("name")),
        to_text(body.get("address")),
    )


def read_contacts(content: Content) -> list[SharedContact]:
    """Return the cards that a message carries."""
    body = as_dict(content.body)
    cards = body["contacts"] if isinstance(body.get("contacts"), list) else [body]
    return [
        SharedContact(to_text(card.get("displayName")), _phones(card.get("vcard")))
        for card in dicts(cards)
    ]


def read_reaction(content: Content) -> Reaction:
    """Return the reaction that a message is."""
    body = as_dict(content.body)
    text = to_text(body.get("text"))
    return Reaction(text, find_text(body, ("key", "id")), removed=text is None)


def read_selection(content: Content) -> Selection:
    """Return the choice that a message tells."""
    if not isinstance(content.body, dict):
        return Selection(None, to_text(content.body))
    body = content.body
    flow = from_json(as_dict(body.get("nativeFlowResponseMessage")).get("paramsJson"))
    chosen = find_text(
        body, ("selectedButtonId",), ("singleSelectReply", "selectedRowId"), ("selectedId",)
    )
    shown = find_text(body, ("selectedDisplayText",), ("title",), ("body", "text"))
    return Selection(
        chosen or find_text(flow, ("id",), ("selected_row_id",)),
        shown or find_text(flow, ("display_text",), ("title",)),
    )


def read_poll(content: Content, raw: Mapping[str, Any]) -> Poll:
    """Return the poll, or the vote, that a message is."""
    body = as_dict(content.body)
    if content.key != "pollUpdateMessage":
        names = [to_text(option.get("optionName")) for option in dicts(body.get("options"))]
        options = tuple(name for name in names if name)
        return Poll(to_text(body.get("name")), options, None, None, {})
    votes = _votes(raw.get("pollUpdates"))
    selected = as_dict(body.get("vote")).get("selectedOptions")
    # Undecrypted choices are digests, which name nothing.
    known = isinstance(selected, list) and all(isinstance(name, str) for name in selected)
    return Poll(
        None,
        tuple(votes),
        find_text(body, ("pollCreationMessageKey", "id")),
        tuple(as_list(selected)) if known else None,
        votes,
    )


def read_quoted(context: Mapping[str, Any]) -> Quoted | None:
    """Return what *context* says to be answered, None if nothing."""
    answered = to_text(context.get("stanzaId"))
    if answered is None:
        return None
    text = text_of(look_into(context.get("quotedMessage")))
    return Quoted(answered, text, to_jid(context.get("participant")))


_TELEPHONE = re.compile(r"^(?:[\w-]+\.)?TEL\b([^:\r\n]*):([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_ON_WHATSAPP = re.compile(r"waid=([0-9]+)", re.IGNORECASE)


def _phones(vcard: object) -> tuple[str, ...]:
    found = []
    for parameters, value in _TELEPHONE.findall(vcard) if isinstance(vcard, str) else ():
        known = _ON_WHATSAPP.search(parameters)
        found.append(known[1] if known else re.sub(r"[^0-9]", "", value))
    return tuple(dict.fromkeys(phone for phone in found if phone))


def _votes(updates: object) -> dict[str, tuple[str, ...]]:
    votes: dict[str, tuple[str, ...]] = {}
    for update in dicts(updates):
        name = to_text(update.get("name"))
        if name is not None:
            jids = map(to_jid, as_list(update.get("voters")))
            votes[name] = tuple(jid for jid in jids if jid)
    return votes
