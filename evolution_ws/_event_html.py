"""How events look in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .facts import facts, payload
from .markup import Markup, badge, clock, element, frame, inline, note, table


__all__ = ["event_html"]

# A piece of the history may hold thousands.
_MOST_MESSAGES = 20

_GREEN = "37,170,90"
_BLUE = "40,120,220"
_ORANGE = "230,140,20"

_TICKS = {
    "ERROR": "⚠ not sent",
    "PENDING": "🕓",
    "SERVER_ACK": "✓",
    "DELIVERY_ACK": "✓✓",
    "READ": "✓✓ read",
    "PLAYED": "✓✓ played",
}

_ICONS = {"image": "🖼", "video": "🎞", "audio": "🎤", "document": "📄", "sticker": "🖼"}


def event_html(event: Any) -> str:
    """Return the event as HTML: a message looks like one, everything else is a list of facts."""
    return str(frame(_head(event), *_body(event), width="44em"))


def _head(event: Any) -> Markup:
    marks = [badge(mark, _ORANGE) for mark in ("replayed", "redelivered") if getattr(event, mark)]
    parts = [badge(event.type, _BLUE), event.instance, *marks, note(clock(event.received_at))]
    return element("div", *_spaced(parts), style="margin:.2em 0;")


def _body(event: Any) -> list[Markup]:
    message = getattr(event, "message", None)
    if message is not None:
        deleted = event.type == "messages.delete"
        return [_bubble(message, "this message was deleted" if deleted else None)]
    if hasattr(event, "messages"):
        return _history(event)
    if hasattr(event, "pairing_code"):
        return _qrcode(event)
    told = facts(event)
    if told:
        return [table((note(name), text) for name, text in told)]
    style = "max-height:20em;overflow:auto;background:transparent;font-size:90%;"
    return [element("pre", payload(event), style=style)]


def _history(event: Any) -> list[Markup]:
    messages = event.messages
    more = len(messages) - _MOST_MESSAGES
    shown = [_bubble(message) for message in messages[:_MOST_MESSAGES]]
    told = table((note(name), text) for name, text in facts(event))
    count = element("div", f"{len(messages)} messages")
    return [count, told, *shown, *([element("div", f"… and {more} more")] if more > 0 else [])]


def _qrcode(event: Any) -> list[Markup]:
    if event.limit_reached:
        return [element("div", "Nobody scanned the code in time.")]
    # Meant to be scanned: here alone it is shown, and to whoever asked for it.
    picture = inline(event.image)
    ground = "background:#fff;padding:.6em;display:inline-block;border-radius:.4em;"
    code = element("div", picture, style=ground) if picture else element("div", "No picture.")
    typed = event.pairing_code
    return [code, *([element("div", "or type ", element("b", typed))] if typed else [])]


def _bubble(message: Any, mark: str | None = None) -> Markup:
    side = "auto" if message.from_me else "0"
    color = _GREEN if message.from_me else "128,128,128"
    style = (
        f"background:rgba({color},.16);border-radius:.8em;padding:.5em .9em;margin:.2em 0;"
        f"margin-left:{side};width:fit-content;max-width:32em;"
    )
    show = _SHOWN.get(message.kind, _nothing)
    foot = [_mark(mark), clock(message.timestamp, "%H:%M"), *_status(message)]
    return element(
        "div",
        _writer(message),
        _quoted(message),
        *show(message),
        _words(message),
        element("div", note(*_spaced(foot)), style="text-align:right;"),
        style=style,
    )


def _writer(message: Any) -> Markup:
    name = "me" if message.from_me else message.push_name or message.phone or message.lid or "?"
    place = f"in {message.chat}" if message.is_group else ""
    title = message.sender or ""
    return element(
        "div", element("b", name, title=title, dir="auto"), " ", note(place), style="font-size:90%;"
    )


def _quoted(message: Any) -> Markup | None:
    if message.quoted is None:
        return None
    style = f"border-left:.25em solid rgba({_GREEN},.6);padding-left:.6em;opacity:.75;"
    return element("div", message.quoted.text or "a message", style=style, dir="auto")


def _words(message: Any) -> Markup | None:
    if not message.text or message.kind in _SPEAKING:
        return None
    style = "white-space:pre-wrap;overflow-wrap:anywhere;"
    return element("div", message.text, style=style, dir="auto")


def _status(message: Any) -> list[Markup]:
    if not message.from_me:
        return [badge("edited")] if message.edited else []
    return [element("span", _TICKS.get(message.status or "", message.status or ""))]


def _mark(text: str | None) -> Markup | None:
    return None if text is None else element("span", text)


def _nothing(message: Any) -> list[Markup]:
    return [] if message.text else [element("div", note(message.kind))]


def _media(message: Any) -> list[Markup]:
    media = message.media
    shown = inline(media.data)
    if shown is not None:
        return [shown]
    size = None if media.size is None else f"{media.size / 1024:,.0f} KiB"
    length = None if media.seconds is None else f"{media.seconds // 60}:{media.seconds % 60:02d}"
    pixels = f"{media.width} × {media.height}" if media.width and media.height else None
    told = [media.file_name or media.kind, media.mimetype, length, pixels, size]
    line = f"{_ICONS[media.kind]} {' · '.join(filter(None, told))}"
    return [element("div", line, style="overflow-wrap:anywhere;", dir="auto")]


def _location(message: Any) -> list[Markup]:
    place = message.location
    lines = [element("div", f"📍 {place.name or 'a place'}", dir="auto")]
    lines += [element("div", note(place.address))] if place.address else []
    if place.latitude is None or place.longitude is None:
        return lines
    where = f"{place.latitude:.5f}, {place.longitude:.5f}"
    href = f"https://www.openstreetmap.org/?mlat={place.latitude:.6f}&mlon={place.longitude:.6f}#map=16"
    return [*lines, element("a", where, href=href, target="_blank", rel="noopener noreferrer")]


def _contacts(message: Any) -> list[Markup]:
    return [
        element("div", f"👤 {person.name or '?'} ", note(", ".join(person.phones)), dir="auto")
        for person in message.contacts
    ]


def _reaction(message: Any) -> list[Markup]:
    reaction = message.reaction
    if reaction.removed:
        return [element("div", note("took a reaction back"))]
    emoji = element("span", reaction.text, style="font-size:180%;")
    return [element("div", emoji, note(" to an earlier message"), title=reaction.message_id or "")]


def _poll(message: Any) -> list[Markup]:
    poll = message.poll
    if message.kind == "poll_vote":
        chosen = "a vote" if poll.selected is None else ", ".join(poll.selected) or "nothing"
        return [element("div", f"🗳 {chosen}", dir="auto")]
    options = [element("li", option, dir="auto") for option in poll.options]
    return [element("b", f"🗳 {poll.question or ''}", dir="auto"), element("ul", *options)]


def _selection(message: Any) -> list[Markup]:
    return [element("div", f"☑ {message.text or '?'}", dir="auto")]


_SHOWN: dict[str, Callable[[Any], list[Markup]]] = {
    **dict.fromkeys(_ICONS, _media),
    "contact": _contacts,
    "location": _location,
    "poll": _poll,
    "poll_vote": _poll,
    "reaction": _reaction,
    "selection": _selection,
}

# What these say is shown above already.
_SPEAKING = frozenset({"contact", "location", "poll", "poll_vote", "reaction", "selection"})


def _spaced(parts: list[Any]) -> list[str]:
    return [piece for part in parts if part is not None for piece in (part, "  ")]
