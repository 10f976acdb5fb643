"""Tests for :mod:`evolution_ws._event_html`."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from evolution_ws import Event, parse_event
from evolution_ws.testing import build

from .html_tools import HOSTILE, Page
from .samples import NAMES, data_event, load


def page_of(event: Any) -> Page:
    """Return what a notebook shows of an event."""
    return Page(event._repr_html_())


def poisoned(value: Any) -> Any:
    """Return *value* with something hostile behind each text, and in place of each file."""
    if isinstance(value, dict):
        return {key: poisoned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return value + HOSTILE if isinstance(value, str) else value


@pytest.mark.parametrize("name", NAMES)
def test_samples(name: str) -> None:
    """What real servers send is shown, with type and instance."""
    envelope = load(name)

    page = page_of(parse_event(envelope["event"], envelope))

    assert envelope["event"] in page.text
    assert envelope["instance"] in page.text


@pytest.mark.parametrize("name", NAMES)
def test_hostile_samples(name: str) -> None:
    """Whatever strangers write, in whichever place, stays text."""
    envelope = poisoned(load(name))

    page = page_of(parse_event(load(name)["event"], envelope))

    assert HOSTILE in page.text


@pytest.mark.parametrize(
    ("event", "words"),
    [
        pytest.param(build.text("R$ 10 <b>"), ["Ana", "R$ 10 <b>"], id="text"),
        pytest.param(build.text("Oi", sent=True), ["me", "Oi", "🕓"], id="sent"),
        pytest.param(build.text("Oi", from_me=True), ["me", "✓"], id="from me"),
        pytest.param(build.text("Oi", quoted="3EB0"), ["antes", "Oi"], id="quoted"),
        pytest.param(
            build.text("Oi", group="120363000000000001@g.us"),
            ["in 120363000000000001@g.us"],
            id="group",
        ),
        pytest.param(build.text("Oi", push_name=None), ["5511900000001"], id="nameless"),
        pytest.param(
            build.image("Olha", data=None), ["🖼 image", "640 × 480", "47 KiB", "Olha"], id="no data"
        ),
        pytest.param(build.audio("Oi", length=67), ["🎤 audio", "1:07", "Oi"], id="audio"),
        pytest.param(
            build.location(-23.5614, -46.6559, "MASP"), ["📍 MASP", "-23.56140"], id="location"
        ),
        pytest.param(build.reaction("👍", "3EB0"), ["👍", "earlier message"], id="reaction"),
        pytest.param(build.reaction("", "3EB0"), ["took a reaction back"], id="no reaction"),
        pytest.param(build.poll_vote(["Tarde"], "3EB0"), ["🗳 Tarde"], id="vote"),
        pytest.param(build.poll_vote([], "3EB0"), ["🗳 nothing"], id="vote for nothing"),
        pytest.param(build.message({}, "conversation"), ["text"], id="no content"),
        pytest.param(data_event("messages.upsert", None), ["?", "unknown"], id="no message"),
        pytest.param(build.qrcode(None), ["Nobody scanned"], id="no code"),
        pytest.param(
            data_event("qrcode.updated", {"qrcode": {}}), ["No picture."], id="empty code"
        ),
        pytest.param(build.qrcode(pairing_code="WZYEH1YY"), ["WZYEH1YY"], id="pairing code"),
        pytest.param(build.deletion("3EB0"), ["message_id", "3EB0"], id="deletion"),
        pytest.param(build.event("new.event", {"a": "<b>"}), ['"a": "<b>"'], id="unknown"),
        pytest.param(build.text("Oi").replace(replayed=True), ["replayed"], id="replayed"),
    ],
)
def test_words(event: Event, words: list[str]) -> None:
    """A person reads what matters."""
    text = page_of(event).text

    assert [word for word in words if word not in text] == []


def test_vote_that_is_not_decrypted() -> None:
    """A vote that nobody can read is one all the same."""
    body = {"pollCreationMessageKey": {"id": "3EB0"}, "vote": {"encPayload": b"1"}}

    assert "🗳 a vote" in page_of(build.message({"pollUpdateMessage": body}, "x")).text


def test_place_without_coordinates() -> None:
    """A place that is only a name has no link."""
    page = page_of(build.message({"locationMessage": {"address": "Rua A"}}, "locationMessage"))

    assert page.links == []
    assert "Rua A" in page.text


def test_unknown_status() -> None:
    """A status that servers may invent is shown as it is."""
    event = build.text("Oi", sent=True, extra={"status": HOSTILE})

    assert HOSTILE in page_of(event).text


def test_picture() -> None:
    """A picture is shown where its data is there, with its caption."""
    page = page_of(build.image("Olha"))

    assert len(page.images) == 1
    assert "Olha" in page.text


def test_qrcode() -> None:
    """The code is shown to be scanned; what it says is nowhere in text."""
    page = page_of(build.qrcode("2@secret"))

    assert len(page.images) == 1
    assert "2@secret" not in page.text


@pytest.mark.parametrize(
    ("encoded", "mimetype"),
    [
        pytest.param(HOSTILE, "image/png", id="no base64"),
        pytest.param("data:text/html;base64,PHNjcmlwdD4=", "image/png", id="data url of html"),
        pytest.param(
            base64.b64encode(b"<svg onload='alert(1)'/>").decode(), "image/svg+xml", id="svg"
        ),
        pytest.param("PHNjcmlwdD4=", f"image/png{HOSTILE}", id="mimetype"),
    ],
)
def test_hostile_file(encoded: str, mimetype: str) -> None:
    """A file that is no picture is named instead of shown, whatever it is said to be."""
    body = {"mimetype": mimetype, "fileName": HOSTILE}
    event = build.message({"imageMessage": body, "base64": encoded}, "imageMessage")

    page = page_of(event)

    assert page.images == []
    assert HOSTILE in page.text


def test_hostile_mimetype_of_a_picture() -> None:
    """A picture has the type that its bytes tell."""
    picture = build.image().data["message"]["base64"]
    body = {"mimetype": f"text/html{HOSTILE}"}
    event = build.message({"imageMessage": body, "base64": picture}, "imageMessage")

    assert page_of(event).images == [f"data:image/png;base64,{picture}"]


def test_history() -> None:
    """A piece of the history shows its first messages, and how many there are."""
    messages = [build.text(f"text {number}.") for number in range(30)]

    text = page_of(build.history(messages, progress=40)).text

    assert [f"text {number}." in text for number in (0, 19, 20)] == [True, True, False]
    assert "30 messages" in text
    assert "… and 10 more" in text


def test_empty_history() -> None:
    """The last piece of the history is often empty."""
    assert "0 messages" in page_of(build.history([], is_latest=True)).text
