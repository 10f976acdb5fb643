"""Every kind of event, read from recorded payloads."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from evolution_ws import events
from evolution_ws.events import Event, parse_event

from .expected_events import EXPECTED
from .samples import NAMES, follow, load, load_event


CASES = [
    pytest.param(sample, path, value, id=f"{sample}-{path}")
    for sample, expected in EXPECTED.items()
    for path, value in expected.items()
]

CLASSES = {
    "call": "CallEvent",
    "chats": "ChatsEvent",
    "connection.update": "ConnectionEvent",
    "contacts": "ContactsEvent",
    "group-participants": "GroupParticipantsEvent",
    "groups": "GroupsEvent",
    "instance": "InstanceEvent",
    "labels": "LabelEvent",
    "logout.instance": "InstanceEvent",
    "messages.delete": "MessageDeleteEvent",
    "messages.edited": "MessageEditEvent",
    "messages.set": "MessagesSetEvent",
    "messages.update": "MessageUpdateEvent",
    "messages.upsert": "MessageEvent",
    "presence": "PresenceEvent",
    "qrcode": "QRCodeEvent",
    "remove.instance": "InstanceEvent",
    "send.message": "MessageEvent",
    "send.message.update": "MessageEditEvent",
    "status.instance": "InstanceEvent",
    "typebot": "TypebotEvent",
}


@pytest.mark.parametrize(("sample", "path", "value"), CASES)
def test_attribute_of_sample(sample: str, path: str, value: object) -> None:
    """An event tells the same whatever the server's version and channel."""
    found: Any = load_event(sample)
    if "|" in path:  # jids have dots in them
        name, jid, attribute = path.split("|")
        found = getattr(getattr(found, name)[jid], attribute)
    else:
        found = follow(found, path)

    assert value == found
    assert type(value) is type(found)


@pytest.mark.parametrize("sample", NAMES)
def test_class_of_sample(sample: str) -> None:
    """Each event is of the class for its kind, and a plain one where there is none."""
    event = load_event(sample)
    fitting = [name for name in CLASSES if event.type == name or event.type.startswith(f"{name}.")]
    expected = CLASSES[max(fitting, key=len)] if fitting else "Event"

    found = "Event" if event.type == "messaging-history.set" else type(event).__name__

    assert expected == found


@pytest.mark.parametrize("sample", NAMES)
def test_envelope_of_sample(sample: str) -> None:
    """The attributes that all events share are those of the envelope, and it can be had back."""
    envelope = load(sample)
    event = load_event(sample)

    assert event.type == envelope["event"]
    assert event.instance == envelope["instance"]
    assert event.data == envelope["data"]
    assert event.sender == envelope.get("sender")
    assert event.server_url == envelope["server_url"]
    assert event.date_time == envelope["date_time"]
    assert event.api_key == envelope.get("apikey")
    assert event.namespace == f"/{envelope['instance']}"
    assert event.received_at == datetime(2025, 12, 5, 15, 53, 20, 500000, timezone.utc)
    assert event.to_envelope() == envelope


PAYLOADS = [
    pytest.param([1, 2], id="list"),
    pytest.param("text", id="str"),
    pytest.param(None, id="none"),
    pytest.param(b"\x00", id="bytes"),
    pytest.param({"instance": "other"}, id="dict-without-data"),
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_payload_without_envelope(payload: object) -> None:
    """A payload that is no envelope is the data of an event of its namespace's instance."""
    event = parse_event("messages.upsert", payload, namespace="/evo1")

    assert event.data == payload
    assert (event.instance, event.sender, event.extra) == ("evo1", None, {})


def test_name_that_is_no_text() -> None:
    """A name that is no str makes an event without a type."""
    event = parse_event(["x"], {"data": 1}, namespace="/evo1")  # type: ignore[arg-type]

    assert (type(event), event.type, event.data) == (Event, "", 1)


def test_marks() -> None:
    """What the caller knows about an event is on it."""
    event = parse_event("call", {"data": {}}, received_at=1.0, replayed=True, redelivered=True)

    assert (event.replayed, event.redelivered) == (True, True)
    assert event.received_at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=timezone.utc)
    assert event.instance == ""


def test_time_of_arrival() -> None:
    """An event arrives now unless its maker knows better."""
    before = datetime.now(timezone.utc)
    event = parse_event("call", {"data": {}})

    assert before <= event.received_at <= datetime.now(timezone.utc)


def test_extra() -> None:
    """Top-level keys that the server added are kept."""
    assert load_event("messages.set").extra == {"isLatest": False, "progress": 34}
    assert load_event("call-offer").extra == {}


def test_exports() -> None:
    """Everything public is there, and every kind of event can be made by name."""
    assert [name for name in events.__all__ if not hasattr(events, name)] == []
    assert {type(load_event(name)).__name__ for name in NAMES} <= set(events.__all__)
