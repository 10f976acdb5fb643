"""Messages of every kind, version and channel, read from recorded payloads."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from evolution_ws.events import parse_event
from evolution_ws.messages import Message

from .expected_messages import EXPECTED
from .samples import ANA, BRUNO, CARLA, CARLA_LID, LOJA, follow, load_event, load_rest


CASES = [
    pytest.param(sample, path, value, id=f"{sample}-{path}")
    for sample, expected in EXPECTED.items()
    for path, value in expected.items()
]


@pytest.mark.parametrize(("sample", "path", "value"), CASES)
def test_attribute_of_sample(sample: str, path: str, value: object) -> None:
    """A message tells the same whatever the server's version and channel."""
    found = follow(load_event(sample), f"message.{path}")

    assert value == found
    assert type(value) is type(found)


def test_messages_set() -> None:
    """The messages of a history piece are messages like any other."""
    event = load_event("messages.set")

    found = [(item.id, item.sender, item.kind, item.text) for item in event.messages]

    assert found == [
        ("ACD34BEEB70CDDCC1F973AB468A4F746", ANA, "text", "mensagem antiga 1"),
        ("3EB0C9F9B435EA28E08508", LOJA, "image", "antiga"),
        ("AC71887144A16BDF3185604BE1DABB42", BRUNO, "text", "no grupo"),
    ]


def test_record_of_history() -> None:
    """A record of the REST history is the message that came live."""
    [record] = load_rest("findMessages-v2")["messages"]["records"]
    live = {**record, "key": {**record["key"], "remoteJid": CARLA}, "status": "DELIVERY_ACK"}
    stored: Any = parse_event("messages.upsert", {"data": record}, namespace="/loja-centro")
    came: Any = parse_event("messages.upsert", {"data": live, "instance": "loja-centro"})

    assert stored.id == came.id
    assert stored.message.chat == CARLA
    assert stored.message.phone == "5521970000103"
    assert stored.message.lid == CARLA_LID
    assert stored.message.status == "READ"


def test_record_of_old_history() -> None:
    """A record of version 1.8 has no receipts, so no status."""
    [record] = load_rest("findMessages-v1.8")
    found = Message(record)

    assert (found.text, found.sender, found.status) == ("velha", ANA, None)


def test_value_semantics() -> None:
    """Messages compare by what the server wrote, pickle, and cannot be hashed."""
    found = load_event("messages.upsert-image").message

    assert found == load_event("messages.upsert-image").message
    assert found != load_event("messages.upsert-video").message
    assert pickle.loads(pickle.dumps(found)) == found
    with pytest.raises(TypeError, match="unhashable"):
        hash(found)


@pytest.mark.parametrize("sample", EXPECTED)
def test_repr_is_discreet(sample: str) -> None:
    """Neither text nor numbers nor names show in the representation of a message's parts."""
    found = load_event(sample).message
    parts = [found, found.media, found.location, found.contacts, found.reaction, found.poll]
    shown = repr([*parts, found.selection, found.quoted])

    secrets = [found.text, found.phone, found.push_name, found.media and found.media.url, "wamid"]
    assert not [secret for secret in secrets if secret and secret in shown]


def test_repr() -> None:
    """The representation names the message and its kind."""
    found = load_event("messages.upsert-reaction").message

    assert (
        repr(found) == "Message('ACA0EAEC5A55DC2F5B2BA523018ADC48', kind='reaction', from_me=False)"
    )
    assert repr(found.reaction) == "Reaction(message_id='3EB0AA11BB22CC33DD44EE', removed=False)"
    assert repr(Message({})) == "Message(None, kind='unknown', from_me=False)"
