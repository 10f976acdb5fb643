"""What all events share: identity, copies, forms to write down."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from evolution_ws.events import CallEvent, Event, MessageEvent, parse_event

from .samples import NAMES, load, load_event


@pytest.mark.parametrize("sample", NAMES)
def test_round_trips(sample: str) -> None:
    """Dict, JSON and pickle give back the event, of the same class and with the same id."""
    event = load_event(sample)
    written = event.to_dict()
    copies = [
        Event.from_dict(written),
        Event.from_dict(json.loads(event.to_json())),
        pickle.loads(pickle.dumps(event)),
        event.replace(),
    ]

    for copy in copies:
        assert type(copy) is type(event)
        assert copy == event
        assert copy.to_dict() == written
        assert (copy.id, hash(copy)) == (event.id, hash(event))


@pytest.mark.parametrize("sample", NAMES)
def test_id_is_the_same_everywhere(sample: str) -> None:
    """An event has one id, whoever received it, when, how often and with what key order."""
    envelope = load(sample)
    event = load_event(sample)
    turned = dict(reversed({**envelope, "apikey": "k"}.items()))
    other = parse_event(event.type, turned, received_at=5.0, replayed=True, redelivered=True)

    assert other.id == event.id
    assert other != event


def test_ids_differ() -> None:
    """No two samples have the same id, and none has a number in it."""
    ids = {load_event(name).id for name in NAMES}

    assert len(ids) == len(NAMES)
    assert not [known for known in ids if "55119" in known or "wamid" in known]


@pytest.mark.parametrize("key_id", ["3EB0AA11BB22CC33DD44EE", "K001", "a-b_c"])
def test_id_of_message(key_id: str) -> None:
    """A message event is named by instance, type and the id of the message."""
    event = parse_event("messages.upsert", {"instance": "a", "data": {"key": {"id": key_id}}})

    assert event.id == f"a:messages.upsert:{key_id}"


@pytest.mark.parametrize("key_id", ["5511980000101", "55-11980000101", "wamid.HBgNNTUxMQ=="])
def test_id_that_may_be_a_number(key_id: str) -> None:
    """An id that may hold a phone number is not shown, and names the message all the same."""
    data = {"key": {"id": key_id}}
    event = parse_event("messages.upsert", {"instance": "a", "data": data})
    again = parse_event("messages.upsert", {"instance": "a", "data": {**data, "more": 1}})

    assert key_id not in event.id
    assert event.id == again.id


@pytest.mark.parametrize("key", [None, {}, {"id": ""}, {"id": 5}, "text"])
def test_id_of_message_without_key(key: object) -> None:
    """A message without an id is named by what the server sent."""
    first = parse_event("send.message", {"instance": "a", "data": {"key": key, "n": 1}})
    second = parse_event("send.message", {"instance": "a", "data": {"key": key, "n": 2}})

    assert first.id.startswith("a:send.message:")
    assert first.id != second.id


def test_constructor() -> None:
    """Tests can make events by keyword."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, timezone(timedelta(hours=-3)))
    event = Event(
        "groups.update",
        instance="sales",
        data=[1],
        sender="1@s.whatsapp.net",
        server_url="http://x.test",
        date_time="2026-01-02T03:04:05.678Z",
        received_at=moment,
        extra={"isLatest": True},
        namespace="/sales",
        replayed=True,
        redelivered=True,
        api_key="k",
    )

    assert event.received_at == moment
    assert event.received_at.utcoffset() == timedelta(0)
    assert event.extra == {"isLatest": True}
    assert event.api_key == "k"
    assert event == Event.from_dict(event.to_dict())
    assert Event("call", namespace="/sales").instance == "sales"
    assert Event("call", received_at=1).received_at.timestamp() == 1


def test_immutable() -> None:
    """Attributes cannot be set."""
    event = Event("call", "a")

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.type = "x"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        event.data = 1  # type: ignore[misc]


def test_replace() -> None:
    """A changed copy is of the class that its type asks for."""
    event = Event("call", "a", {"id": "C1"}, api_key="k")

    copy = event.replace(type="messages.upsert", replayed=True)

    assert type(copy) is MessageEvent
    assert (copy.replayed, copy.instance, copy.data, copy.api_key) == (True, "a", {"id": "C1"}, "k")
    assert type(event) is CallEvent
    with pytest.raises(TypeError, match="nonsense"):
        event.replace(nonsense=1)


def test_api_key_stays_inside() -> None:
    """The api key is in no form that leaves the process, and no part of equality."""
    event = load_event("messages.upsert-apikey-exposed")
    without = event.replace(api_key=None)

    assert event.api_key
    secret = str(event.api_key)
    for form in (repr(event), str(event), event.id, event.to_json(), repr(event.to_dict())):
        assert secret not in form
    assert secret.encode() not in pickle.dumps(event)
    assert pickle.loads(pickle.dumps(event)).api_key is None
    assert event == without


@pytest.mark.parametrize("sample", NAMES)
def test_repr_is_discreet(sample: str) -> None:
    """The representation shows class, type, instance and id; no numbers and no texts."""
    event = load_event(sample)
    shown = repr(event)

    assert shown.startswith(f"{type(event).__name__}({event.type!r}, instance=")
    assert event.id in shown
    assert "@s.whatsapp.net" not in shown
    assert len(shown) < 250


def test_repr_of_marks() -> None:
    """The representation says when an event is not fresh."""
    event = Event("call", "a", replayed=True, redelivered=True)

    assert repr(event).endswith(", replayed=True, redelivered=True)")


def test_equality() -> None:
    """Events differ by any attribute and by class, and are never equal to something else."""
    event = Event("call", "a", {"id": 1}, received_at=1)

    assert event != event.replace(data={"id": 2})
    assert event != event.replace(redelivered=True)
    assert event != event.to_dict()
    assert {event, Event("call", "a", {"id": 1}, received_at=1)} == {event}


def test_acknowledgement() -> None:
    """Acknowledging reaches the inbox that delivered the event, and nobody otherwise."""
    done: list[str] = []
    event = Event("call", "a", received_at=1)
    delivered = event._copy()
    delivered._carry(lambda: done.append("done"))

    event.ack()
    assert done == []
    delivered.ack()
    assert done == ["done"]
    assert delivered == event
    assert type(delivered) is type(event)
    for copy in (pickle.loads(pickle.dumps(delivered)), Event.from_dict(delivered.to_dict())):
        copy.ack()
    assert done == ["done"]


NOT_EVENTS = [
    pytest.param(None, id="none"),
    pytest.param([], id="list"),
    pytest.param({}, id="empty"),
    pytest.param({"type": "call", "received_at": "yesterday"}, id="time"),
]


@pytest.mark.parametrize("written", NOT_EVENTS)
def test_from_dict_refuses(written: Any) -> None:
    """What no event was written to is refused."""
    with pytest.raises(ValueError, match=r"no event|isoformat"):
        Event.from_dict(written)


def test_from_dict_of_little() -> None:
    """A type is enough to make an event of, whatever stands in the other fields."""
    bare = Event.from_dict({"type": "call"})
    odd = Event.from_dict({"type": 5, "namespace": None, "extra": 1, "sender": 2, "instance": []})

    assert (type(bare), bare.instance, bare.data, bare.namespace) == (CallEvent, "", None, "/")
    assert (odd.type, odd.namespace, odd.extra, odd.sender) == ("5", "/", {}, None)


def test_from_dict_of_a_subclass() -> None:
    """A subclass of one's own makes its own events, unless the type asks for a closer one."""

    class Own(CallEvent):
        """An event of a user's making."""

    assert type(Own.from_dict({"type": "call"})) is Own
    assert type(CallEvent.from_dict({"type": "call"})) is CallEvent


def nested(depth: int) -> Any:
    """Return a list in a list, *depth* levels deep."""
    deep: Any = ["bottom"]
    for _ in range(depth):
        deep = [deep]
    return deep


def test_hostile_nesting() -> None:
    """Nesting beyond what recursion can follow survives being written down and compared."""
    event = Event("x.y", "a", {"deep": nested(5000)}, received_at=1)
    again = Event("x.y", "a", {"deep": nested(5000)}, received_at=1)
    other = Event("x.y", "a", {"deep": nested(4999)}, received_at=1)

    copy = Event.from_dict(json.loads(event.to_json()))

    assert copy.to_json() == event.to_json()
    assert copy.id == event.id
    assert (event == again, event == other) == (True, False)
