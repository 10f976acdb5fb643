"""Tests for :mod:`evolution_ws.facts`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evolution_ws import Event, LifecycleEvent
from evolution_ws.facts import facts, payload, summary
from evolution_ws.testing import build

from .samples import NAMES, data_event, load_event


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(
            build.connection("close", 401), {"state": "close", "reason": "401"}, id="connection"
        ),
        pytest.param(
            build.contacts({"5511900000001": "Ana", "5511900000002": "Bruno"}),
            {"contacts": "Ana, Bruno"},
            id="list",
        ),
        pytest.param(
            build.event("presence.update", {"presences": {"1@lid": {"lastKnownPresence": "ok"}}}),
            {"presences": "1@lid: ok"},
            id="dict",
        ),
        pytest.param(
            build.event("chats.set", [{"remoteJid": None}]), {"chats": "?"}, id="nameless"
        ),
        pytest.param(build.qrcode("2@secret", pairing_code="SECRET99"), {}, id="a code is no fact"),
        pytest.param(build.text("Oi"), {}, id="nor is a message"),
        pytest.param(
            LifecycleEvent(type="disconnect", reason="gone", attempt=2),
            {"reason": "gone", "attempt": "2"},
            id="lifecycle",
        ),
    ],
)
def test_facts(event: Any, expected: dict[str, str]) -> None:
    """What the kind of event tells is listed; what it does not tell is left out."""
    assert dict(facts(event)) == expected


def test_flags_and_moments() -> None:
    """True is a yes, False is nothing, and a moment is in UTC to the second."""
    told = dict(facts(build.edit("depois", "3EB0")))

    assert told["is_edit"] == "yes"
    assert "is_revoke" not in told
    assert told["at"].endswith("+00:00")


def test_long_lists_are_cut() -> None:
    """A list that nobody would read to the end says how much there is."""
    people = {f"55119000000{number:02d}": f"P{number}" for number in range(30)}

    told = dict(facts(build.contacts(people)))

    assert told["contacts"] == "P0, P1, P2, P3, P4, P5, P6, P7 and 22 more"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        pytest.param(build.text("Bom dia"), "Bom dia", id="text"),
        pytest.param(build.image("Olha"), "[image] Olha", id="caption"),
        pytest.param(build.image(), "[image]", id="no words"),
        pytest.param(build.history([build.text("a")] * 3), "3 messages", id="history"),
        pytest.param(
            build.event("new.event", {"a": [1, None]}), '{ "a": [ 1, null ] }', id="unknown kind"
        ),
        pytest.param(build.event("call", {}), "", id="known kind that tells nothing"),
        pytest.param(LifecycleEvent(type="connect"), "", id="lifecycle"),
        pytest.param(
            build.connection("connecting", 200), "state: connecting, reason: 200", id="facts"
        ),
        pytest.param(build.text("a" * 1000), "a" * 299 + "…", id="cut"),
    ],
)
def test_summary(event: Any, line: str) -> None:
    """Every event has a line that can be read in passing."""
    assert summary(event) == line


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_has_a_line(name: str) -> None:
    """What real servers send has a line, and no key is in it."""
    line = summary(load_event(name))

    assert len(line) <= 300 + len(" and 10000 more")
    assert "apikey" not in line.lower() or "***" in line


def test_payload() -> None:
    """Bytes are counted, secrets masked, long texts, lists and nestings cut."""
    nested: Any = "deep"
    for _ in range(1000):
        nested = [nested]
    data = {
        "bytes": b"12345",
        "apiKey": "secret",
        "text": "a" * 1000,
        "list": list(range(30)),
        "nested": nested,
        "odd": {1},
    }

    shown = json.loads(payload(Event("new.event", "sales", data)))

    assert shown["bytes"] == "<5 bytes>"
    assert shown["apiKey"] == "***"
    assert len(shown["text"]) == 300
    assert shown["list"] == [0, 1, 2, 3, 4, 5, 6, 7, "… 22 more"]
    assert shown["nested"] == [[[[[[["…"]]]]]]]
    assert shown["odd"] == "{1}"


def test_payload_with_many_keys() -> None:
    """A dict with many keys is cut as well."""
    shown = json.loads(payload(data_event("new.event", {str(number): 0 for number in range(9)})))

    assert shown["…"] == "1 more"
