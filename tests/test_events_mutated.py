"""Recorded payloads, damaged in every way: whatever arrives, nothing raises."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evolution_ws.events import Event, parse_event
from evolution_ws.messages import Media, Message

from .samples import NAMES, load


EXAMPLES = 3000

ENVELOPES = {name: load(name) for name in NAMES}

# Texts that mean something somewhere, so that they find their way into every field.
WORDS = sorted(
    {
        *("", "0", "-1", "9" * 400, "nan", "@", "@lid", "@g.us", "1@lid", "a:b@c", "\ud800", "{"),
        *("open", "REVOKE", "MESSAGE_EDIT", "2025-12-05T16:00:00Z", "imageMessage", "data:,x"),
        *(
            "TEL:1\nTEL:",
            "[" * 2000,
            "$bytes",
            "Buffer",
            "interactiveMessage",
            "٣٣٣@s.whatsapp.net",
        ),
    }
)


def deep(depth: int) -> Any:
    """Return messages in messages in messages."""
    found: Any = {"conversation": "deep"}
    for _ in range(depth):
        quoted = {"contextInfo": {"stanzaId": "1", "quotedMessage": {"conversation": "x"}}}
        found = {"ephemeralMessage": {"message": found}, **quoted}
    return found


ODDITIES: list[Any] = [
    *WORDS,
    *(None, True, False, 0, -1, 14, 10**30, -(10**30), float("nan"), float("inf"), -0.0, 1e308),
    *([], {}, [[]], [None], [{}], b"", b"\xff" * 3, {"$bytes": "AA=="}, {"$items": 1}, {"": {}}),
    *({"low": -1, "high": 2**40}, {"type": "Buffer", "data": [999]}, {"0": 1, "2": 3}),
    *([{"name": "x", "voters": "y"}], {"message": {"message": {}}}, {"packet": [], "data": {}}),
    deep(60),
]


def places(root: Any) -> list[tuple[Any, Any]]:
    """Return every place in *root* where something stands, as container and key."""
    found: list[tuple[Any, Any]] = []
    waiting = [root]
    while waiting and len(found) < 500:
        here = waiting.pop()
        keys = list(here) if isinstance(here, dict) else range(len(here))
        for key in keys:
            found.append((here, key))
            if isinstance(here[key], (dict, list)):
                waiting.append(here[key])
    return found


def damage(envelope: dict[str, Any], chance: random.Random) -> None:
    """Drop, replace, wrap, rename or swap something in *envelope*."""
    everywhere = places(envelope)
    if not everywhere:
        return
    here, key = chance.choice(everywhere)
    there, other = chance.choice(everywhere)
    how = chance.randrange(6)
    if how == 0:
        del here[key]
    elif how == 1:
        here[key] = copy.deepcopy(chance.choice(ODDITIES))
    elif how == 2:
        here[key] = [here[key]] if chance.random() < 0.5 else {"message": here[key]}
    elif how == 3 and isinstance(here, dict):
        here[chance.choice([*WORDS, "message", "key", "id", "remoteJid"])] = here.pop(key)
    elif how == 4:
        here[key] = copy.deepcopy(there[other])
    else:
        here[key] = str(here[key])[:50]


def read_all(thing: Any) -> None:
    """Read every attribute of *thing*, and of what they give."""
    if isinstance(thing, (list, tuple)):
        for item in thing:
            read_all(item)
    elif isinstance(thing, dict):
        read_all([item for item in thing.values() if attrs.has(type(item))])
    elif isinstance(thing, (Event, Message)) or attrs.has(type(thing)):
        assert repr(thing)
        names = [name for name in dir(type(thing)) if not name.startswith("_")]
        for name in names:
            value = getattr(thing, name)
            if name not in ("data", "raw", "extra"):
                read_all(value)


def check(event: Event) -> None:
    """Read all of *event* and take it through all its forms."""
    read_all(event)
    json.dumps(orjson.loads(orjson.dumps(event.to_dict())), allow_nan=False)
    again = Event.from_dict(json.loads(event.to_json()))
    assert type(again) is type(event)
    assert again.to_json() == event.to_json()
    assert again.id == event.id


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(NAMES),
    chance=st.randoms(use_true_random=False),
    times=st.integers(1, 8),
)
def test_damaged_sample(name: str, chance: random.Random, times: int) -> None:
    """A damaged event has all its attributes, and its JSON says the same as itself."""
    envelope = copy.deepcopy(ENVELOPES[name])
    for _ in range(times):
        damage(envelope, chance)

    event = parse_event(ENVELOPES[name]["event"], envelope, namespace="/evo1", received_at=1.0)

    check(event)


@pytest.mark.parametrize("name", sorted({sample["event"] for sample in ENVELOPES.values()}))
def test_oddities_as_data(name: str) -> None:
    """Every kind of event copes with every odd thing as its data, bare or in an envelope."""
    for oddity in ODDITIES:
        check(parse_event(name, oddity, received_at=1.0))
        check(parse_event(name, {"data": oddity}, received_at=1.0))
        check(parse_event(name, {"data": [oddity, oddity]}, received_at=1.0))


@pytest.mark.parametrize("name", NAMES)
def test_oddities_in_every_place(name: str) -> None:
    """Every place of every sample copes with a handful of odd things."""
    envelope = copy.deepcopy(ENVELOPES[name])
    for here, key in places(envelope)[:25]:
        kept = here[key]
        oddities: list[Any] = [None, "", 5, [], {}, b"", ODDITIES[-1]]
        for oddity in oddities:
            here[key] = oddity
            read_all(parse_event(ENVELOPES[name]["event"], envelope, received_at=1.0))
        here[key] = kept


def test_media_is_read() -> None:
    """The walk over all attributes reaches into the parts of messages."""
    seen: list[str] = []
    media = Media("image", None, None, None, None, None, None, None, None, Spy(seen))

    read_all([media])

    assert seen == ["read"]


class Spy(str):
    """A text that notes when it is taken for base64."""

    def __new__(cls, seen: list[str]) -> Spy:
        found = super().__new__(cls, "AA==")
        found.seen = seen
        return found

    seen: list[str]

    def startswith(self, *args: Any) -> bool:
        self.seen.append("read")
        return super().startswith(*args)
