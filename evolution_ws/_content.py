"""Look into the content of a WhatsApp message: wrappers, kind, and what a person reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from ._wire import as_dict, find_text, to_text


__all__ = ["MEDIA_KINDS", "Content", "contexts", "kind_of", "look_into", "text_of"]

MEDIA_KINDS = frozenset({"audio", "document", "image", "sticker", "video"})

# Real messages nest three or four deep; the bound is for hostile ones.
_MAX_WRAPPERS = 32

_KIND_OF_KEY = {
    "conversation": "text",
    "extendedTextMessage": "text",
    "imageMessage": "image",
    "videoMessage": "video",
    "ptvMessage": "video",
    "audioMessage": "audio",
    "documentMessage": "document",
    "stickerMessage": "sticker",
    "locationMessage": "location",
    "liveLocationMessage": "location",
    "contactMessage": "contact",
    "contactsArrayMessage": "contact",
    "reactionMessage": "reaction",
    "pollCreationMessage": "poll",
    "pollCreationMessageV2": "poll",
    "pollCreationMessageV3": "poll",
    "pollCreationMessageV5": "poll",
    "pollUpdateMessage": "poll_vote",
    "buttonsResponseMessage": "selection",
    "listResponseMessage": "selection",
    "templateButtonReplyMessage": "selection",
    "interactiveResponseMessage": "selection",
    "interactiveMessage": "interactive",
    "buttonsMessage": "interactive",
    "listMessage": "interactive",
    "templateMessage": "interactive",
}

# Where the words are; the first that is there counts. The keys at the end have no
# kind of their own and still something to read.
_TEXT_PATHS: dict[str, tuple[tuple[str, ...], ...]] = {
    "extendedTextMessage": (("text",),),
    "imageMessage": (("caption",),),
    "videoMessage": (("caption",),),
    "ptvMessage": (("caption",),),
    "documentMessage": (("caption",),),
    "locationMessage": (("name",), ("address",), ("comment",)),
    "liveLocationMessage": (("caption",),),
    "contactMessage": (("displayName",),),
    "contactsArrayMessage": (("displayName",),),
    "reactionMessage": (("text",),),
    "pollCreationMessage": (("name",),),
    "pollCreationMessageV2": (("name",),),
    "pollCreationMessageV3": (("name",),),
    "pollCreationMessageV5": (("name",),),
    "interactiveMessage": (("body", "text"), ("header", "title"), ("footer", "text")),
    "buttonsMessage": (("contentText",), ("text",), ("footerText",)),
    "listMessage": (("description",), ("title",), ("buttonText",)),
    "templateMessage": (
        ("hydratedTemplate", "hydratedContentText"),
        ("hydratedFourRowTemplate", "hydratedContentText"),
        ("interactiveMessageTemplate", "body", "text"),
    ),
    "eventMessage": (("name",), ("description",)),
    "productMessage": (("product", "title"), ("body",)),
    "orderMessage": (("orderTitle",), ("message",)),
    "groupInviteMessage": (("caption",), ("groupName",)),
    "newsletterAdminInviteMessage": (("caption",), ("newsletterName",)),
    "scheduledCallCreationMessage": (("title",),),
    "requestPaymentMessage": (("noteMessage", "extendedTextMessage", "text"),),
    "sendPaymentMessage": (("noteMessage", "extendedTextMessage", "text"),),
}

_KNOWN_KEYS = _KIND_OF_KEY.keys() | _TEXT_PATHS.keys()


@attrs.frozen
class Content:
    """A message's content without its wrappers."""

    key: str | None
    """Name of what was found, None when nothing is recognised."""
    body: Any = attrs.field(repr=False)
    """What stands under that name."""
    layers: tuple[dict[str, Any], ...] = attrs.field(repr=False)
    """The dicts looked through, the outermost first."""
    edited: bool
    """Whether one of the wrappers says that the message was edited."""

    def beside(self, name: str) -> Any:
        """Return what the server put beside the content under *name*, None if nothing."""
        return next((layer[name] for layer in self.layers if layer.get(name)), None)


def look_into(message: object) -> Content:
    """Return the content of *message*, looked for through every wrapper."""
    layers: list[dict[str, Any]] = []
    edited = False
    while isinstance(message, dict) and len(layers) < _MAX_WRAPPERS:
        layers.append(message)
        key = next((name for name in message if name in _KNOWN_KEYS and message[name]), None)
        if key is not None:
            return Content(key, message[key], tuple(layers), edited)
        name, message = _unwrapped(message)
        edited = edited or name in _EDITS
    return Content(None, None, tuple(layers), edited)


def kind_of(content: Content, message_type: object) -> str:
    """Return the kind of a message; *message_type* is the server's name for it."""
    key = content.key
    told = _KIND_OF_KEY.get(message_type) if isinstance(message_type, str) else None
    if key in (None, "conversation"):
        # The official API's answers to buttons and lists come as their title alone,
        # other channels' media as nothing but a link.
        if key is not None and message_type in ("interactiveMessage", "buttonMessage"):
            return "selection"
        if told in MEDIA_KINDS and (key is None or content.beside("mediaUrl")):
            return told
    return _KIND_OF_KEY.get(key or "") or (told if key is None and told else "unknown")


def text_of(content: Content) -> str | None:
    """Return what a person would read, None when there is nothing to read."""
    if content.key == "conversation":
        return to_text(content.body)
    found = find_text(content.body, *_TEXT_PATHS.get(content.key or "", ()))
    return found or to_text(content.beside("speechToText"))


def contexts(raw: dict[str, Any], content: Content) -> Iterator[dict[str, Any]]:
    """Yield the dicts that may say what a message answers and whom it mentions."""
    for holder in (raw, as_dict(content.body), *reversed(content.layers)):
        context = holder.get("contextInfo")
        if isinstance(context, dict):
            yield context


_EDITS = ("editedMessage", "protocolMessage")


def _unwrapped(message: dict[str, Any]) -> tuple[str | None, Any]:
    for name, wrapper in message.items():
        if isinstance(wrapper, dict):
            # protocolMessage carries the new content of an edit under a name of its own.
            for inside in ("message", "editedMessage"):
                if isinstance(wrapper.get(inside), dict):
                    return name, wrapper[inside]
    return None, None
