"""Events for users' tests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evolution_ws.events import Event, parse_event
from evolution_ws.testing import build


GENERATIONS: list[build.Generation] = ["A", "B", "C"]
ANA = "5511900000001@s.whatsapp.net"
OWN = "5511900000000@s.whatsapp.net"


def has_bytes(value: object) -> bool:
    """Return whether there are bytes anywhere in *value*."""
    if isinstance(value, dict):
        return any(map(has_bytes, value.values()))
    return any(map(has_bytes, value)) if isinstance(value, list) else isinstance(value, bytes)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_text(generation: build.Generation) -> None:
    """A text message reads the same in every generation."""
    event = build.text("Oi", sender="5511900000001", instance="sales", generation=generation)
    message = event.message

    assert (event.type, event.instance, event.namespace) == ("messages.upsert", "sales", "/sales")
    assert (message.kind, message.text, message.sender, message.chat) == ("text", "Oi", ANA, ANA)
    assert (message.from_me, message.is_group, message.push_name) == (False, False, "Ana")
    assert has_bytes(event.to_envelope()) is (generation == "C")


@pytest.mark.parametrize("generation", GENERATIONS)
def test_encodings(generation: build.Generation) -> None:
    """Contents are encoded as the servers of each generation do."""
    data = build.image("foto", generation=generation).data["message"]["imageMessage"]

    sizes = {"A": "67", "B": 67, "C": {"low": 67, "high": 0, "unsigned": True}}
    kinds = {"A": str, "B": dict, "C": bytes}
    assert data["fileLength"] == sizes[generation]
    assert type(data["mediaKey"]) is kinds[generation]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_kinds_of_messages(generation: build.Generation) -> None:
    """Each builder makes the message it says."""
    common: dict[str, Any] = {"generation": generation, "at": 1767323045}
    image = build.image("foto", **common).message
    audio = build.audio("olá", length=9, data=b"\x00", **common).message
    place = build.location(-23.5, -46.6, "MASP", **common).message
    reaction = build.reaction("", "3EB0", **common).message
    vote = build.poll_vote(["Sim"], "3EB1", sender=ANA, **common).message
    answer = build.text("Sim", quoted="3EB2", **common).message

    assert image.media
    assert (image.text, image.media.size, len(image.media.data or b"")) == ("foto", 67, 67)
    assert audio.media
    assert (audio.text, audio.media.seconds, audio.media.data) == ("olá", 9, b"\x00")
    assert place.location
    assert (place.location.latitude, place.text) == (-23.5, "MASP")
    assert reaction.reaction
    assert (reaction.reaction.removed, reaction.reaction.message_id) == (True, "3EB0")
    assert vote.poll
    assert (vote.poll.selected, vote.poll.votes) == (("Sim",), {"Sim": (ANA,)})
    assert answer.quoted
    assert (answer.quoted.id, answer.quoted.sender) == ("3EB2", OWN)
    assert str(answer.timestamp) == "2026-01-02 03:04:05+00:00"


def test_files_that_are_not_sent() -> None:
    """Without data a message has no file, as on servers that send none."""
    media = build.image(data=None).message.media

    assert media
    assert (media.data, media.caption, media.size) == (None, None, 48213)


def test_sent_and_from_me() -> None:
    """What the instance's owner wrote and what the API sent are told apart."""
    phone = build.text("Oi", from_me=True).message
    sent = build.text("Oi", sent=True)

    assert (phone.from_me, phone.sender, phone.chat, phone.status) == (True, OWN, ANA, "SERVER_ACK")
    assert (sent.type, sent.message.status, sent.message.source) == (
        "send.message",
        "PENDING",
        "web",
    )


def test_group() -> None:
    """A message in a group has a participant."""
    message = build.text("Oi", group="120363000000000001@g.us", sender=ANA).message

    assert (message.is_group, message.sender) == (True, ANA)


def test_ids() -> None:
    """Every message has an id of its own, unless one is given."""
    assert build.text("Oi").id != build.text("Oi").id
    assert build.text("Oi", id="3EB0").id == build.text("Olá", id="3EB0").id


@pytest.mark.parametrize("generation", GENERATIONS)
def test_receipt(generation: build.Generation) -> None:
    """A receipt names message, chat and status in every generation's shape."""
    event: Any = build.receipt("3EB0", "PLAYED", chat=ANA, generation=generation)

    assert (event.message_id, event.status, event.chat) == ("3EB0", "PLAYED", ANA)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_group_change(generation: build.Generation) -> None:
    """A group change names its members in every generation's shape."""
    event: Any = build.group_change("remove", [ANA], generation=generation)

    assert (event.action, event.participants, event.author) == ("remove", [ANA], OWN)


EVENTS = [
    pytest.param(build.edit("novo", "3EB0"), {"text": "novo", "is_edit": True}, id="edit"),
    pytest.param(build.deletion("3EB0"), {"message_id": "3EB0", "chat": ANA}, id="deletion"),
    pytest.param(build.connection(), {"is_open": True, "jid": OWN}, id="open"),
    pytest.param(build.connection("close", 401), {"reason": 401, "jid": None}, id="close"),
    pytest.param(build.qrcode("2@x"), {"code": "2@x", "limit_reached": False}, id="qrcode"),
    pytest.param(build.qrcode(None), {"code": None, "limit_reached": True}, id="qrcode-limit"),
    pytest.param(build.presence("paused", chat=ANA), {"chat": ANA}, id="presence"),
    pytest.param(build.call("reject", caller=ANA), {"status": "reject", "caller": ANA}, id="call"),
    pytest.param(
        build.history([build.text("a", id="3EB0")], progress=50, is_latest=True),
        {"progress": 50.0, "is_latest": True},
        id="history",
    ),
    pytest.param(build.event("x.y", None, more=1), {"type": "x.y", "extra": {"more": 1}}, id="any"),
]


@pytest.mark.parametrize(("event", "expected"), EVENTS)
def test_other_events(event: Event, expected: dict[str, Any]) -> None:
    """Each builder makes the event it says."""
    assert {name: getattr(event, name) for name in expected} == expected


def test_contacts() -> None:
    """Contacts are given by number and name."""
    event: Any = build.contacts({ANA: "Ana"})

    assert [(item.jid, item.name) for item in event.contacts] == [(ANA, "Ana")]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_samples(generation: build.Generation) -> None:
    """The samples are envelopes of many kinds, all of one instance."""
    envelopes = build.samples("sales", generation)
    events = [parse_event(item["event"], item) for item in envelopes]

    assert len({type(event) for event in events}) >= 10
    assert {event.instance for event in events} == {"sales"}
    assert len({event.id for event in events}) == len(events)
    assert all(json.loads(event.to_json())["type"] == event.type for event in events)
