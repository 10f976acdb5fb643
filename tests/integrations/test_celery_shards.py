"""Which shard an event belongs to, and who has a shard."""

from __future__ import annotations

from typing import Any

import pytest

from evolution_ws import ConfigError, Event
from evolution_ws.integrations.celery import chat_key, per_chat
from evolution_ws.integrations.celery.shards import owner_of, shard_of
from evolution_ws.testing import build


ANA, BIA = "5511900000001@s.whatsapp.net", "5511900000002@s.whatsapp.net"


def test_the_shard_of_a_name_is_fixed() -> None:
    """Another process, another machine, another day: it is the same shard."""
    assert [7, 2, 12] == [shard_of(name, 16) for name in ("sales", "support", "são")]


def test_shards_take_names_that_are_no_text() -> None:
    """Half a surrogate pair, which JSON can carry, has a shard, too."""
    assert 0 <= shard_of("\ud83d", 4) < 4


def test_a_member_that_goes_leaves_the_others_their_shards() -> None:
    """The shards of the one that died move, and no others."""
    before = {shard: owner_of(shard, ["a", "b", "c"]) for shard in range(256)}
    after = {shard: owner_of(shard, ["a", "b"]) for shard in range(256)}

    moved = {shard for shard in before if before[shard] != after[shard]}

    assert {shard for shard in before if before[shard] == "c"} == moved
    assert 50 < len(moved) < 120


def test_without_members_nobody_has_a_shard() -> None:
    """An empty cluster has no owner."""
    assert owner_of(0, []) is None


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("messages.upsert", {"key": {"remoteJid": ANA}}),
        ("messages.update", {"remoteJid": ANA, "keyId": "M1"}),
        ("presence.update", {"id": ANA, "presences": {}}),
        ("chats.upsert", [{"id": ANA}, {"id": BIA}]),
        ("something.new", [{"remoteJid": ANA}]),
    ],
    ids=["message", "receipt", "presence", "list", "unknown"],
)
def test_events_of_a_chat_share_its_key(type_: str, data: Any) -> None:
    """Whatever the event, the chat has one key, in which no number can be read."""
    other = Event(type_, "sales", {"id": BIA, "remoteJid": BIA})

    key = chat_key(Event(type_, "sales", data))

    assert chat_key(build.text("Oi", sender="5511900000001", instance="sales")) == key
    assert chat_key(other) != key
    assert "900000001" not in key


@pytest.mark.parametrize("data", [None, "text", [], ["text"], {}, {"key": 1}], ids=repr)
def test_events_of_no_chat_share_the_key_of_their_instance(data: Any) -> None:
    """What concerns no chat stays in order among itself."""
    assert chat_key(Event("x", "sales")) == chat_key(Event("y", "sales", data))
    assert chat_key(Event("x", "support")) != chat_key(Event("y", "sales", data))


def test_per_chat_spreads_chats_over_queues() -> None:
    """Each chat has one queue, and all queues are used."""
    queue_of = per_chat("chats", 3)
    events = [Event("call", "sales", {"id": f"{number}@lid"}) for number in range(60)]

    assert {"chats.0", "chats.1", "chats.2"} == {queue_of(event) for event in events}
    assert [queue_of(event) for event in events] == [queue_of(event) for event in events]


def test_per_chat_needs_a_queue() -> None:
    """No queue at all is refused."""
    with pytest.raises(ConfigError, match="at least 1 queue, not 0"):
        per_chat("chats", 0)
