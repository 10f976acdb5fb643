"""What a message is and says, through every wrapper."""

from __future__ import annotations

import functools

import pytest

from .samples import message


WRAPPERS = [
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "deviceSentMessage",
    "editedMessage",
    "someFutureMessage",
]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrapper_is_looked_through(wrapper: str) -> None:
    """A wrapped message is read like a bare one, its attached file included."""
    image = {"caption": "dentro", "contextInfo": {"stanzaId": "3EB1"}}
    found = message({wrapper: {"message": {"imageMessage": image}}, "base64": "AAEC"})

    assert (found.kind, found.text) == ("image", "dentro")
    assert found.quoted is not None
    assert found.quoted.id == "3EB1"
    assert found.media is not None
    assert found.media.data == b"\x00\x01\x02"
    assert found.edited is (wrapper == "editedMessage")


def test_wrappers_in_wrappers() -> None:
    """Wrappers are looked through to any sensible depth, and no further."""

    def wrapped(times: int) -> object:
        nest: object = {"ephemeralMessage": {"message": {"conversation": "fundo"}}}
        return functools.reduce(
            lambda inner, _: {"viewOnce": {"message": inner}}, range(times), nest
        )

    assert message(wrapped(8)).text == "fundo"
    assert message(wrapped(1000)).text is None


def test_edit_inside_protocol_message() -> None:
    """The new text of an edit is found where WhatsApp puts it."""
    edit = {"type": 14, "editedMessage": {"conversation": "corrigido"}}
    found = message({"editedMessage": {"message": {"protocolMessage": edit}}})

    assert (found.kind, found.text, found.edited) == ("text", "corrigido", True)


TEXTS = [
    pytest.param(
        {"audioMessage": {"seconds": 3}, "speechToText": "oi"}, "audio", "oi", id="speech"
    ),
    pytest.param({"ptvMessage": {"seconds": 3}}, "video", None, id="video-note"),
    pytest.param({"liveLocationMessage": {"caption": "indo"}}, "location", "indo", id="live"),
    pytest.param({"eventMessage": {"name": "Festa"}}, "unknown", "Festa", id="event"),
    pytest.param(
        {"productMessage": {"product": {"title": "Bolo"}}}, "unknown", "Bolo", id="product"
    ),
    pytest.param({"conversation": ""}, "unknown", None, id="empty-text"),
    pytest.param({"albumMessage": {"expectedImageCount": 2}}, "unknown", None, id="album"),
    pytest.param(
        {"listMessage": {"title": "T", "description": "D"}}, "interactive", "D", id="list"
    ),
    pytest.param(
        {"templateMessage": {"hydratedTemplate": {"hydratedContentText": "M"}}},
        "interactive",
        "M",
        id="template",
    ),
    pytest.param({"reactionMessage": {"text": "", "key": {}}}, "reaction", None, id="unreaction"),
    pytest.param({"imageMessage": "?"}, "image", None, id="malformed"),
    pytest.param(None, "unknown", None, id="nothing"),
    pytest.param([{"conversation": "x"}], "unknown", None, id="list-as-content"),
]


@pytest.mark.parametrize(("content", "kind", "text"), TEXTS)
def test_kind_and_text(content: object, kind: str, text: str | None) -> None:
    """Kind and text are found for rarer contents too, and None stands for nothing."""
    found = message(content)

    assert (found.kind, found.text) == (kind, text)
