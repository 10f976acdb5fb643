"""Which messages a client had already."""

from __future__ import annotations

from typing import Any

import pytest

from evolution_ws._seen import SeenMessages, message_id


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("messages.upsert", {"key": {"id": "A1"}}, "A1"),
        ("send.message", {"key": {"id": "A1"}}, "A1"),
        ("messages.update", {"key": {"id": "A1"}}, None),
        ("messages.upsert", {"key": {"id": ""}}, None),
        ("messages.upsert", {"key": {"id": 5}}, None),
        ("messages.upsert", {"key": "A1"}, None),
        ("messages.upsert", {}, None),
        ("messages.upsert", [{"key": {"id": "A1"}}], None),
        ("messages.upsert", None, None),
    ],
)
def test_the_id_of_a_message_is_found(name: str, data: Any, expected: str | None) -> None:
    """Events that bring no message have none."""
    assert message_id(name, data) == expected


def test_a_message_of_the_history_is_new_once() -> None:
    """Neither a second replay nor one of what came live delivers it again."""
    seen = SeenMessages()

    assert seen.came_live("a", "1")
    assert not seen.is_new("a", "1")
    assert seen.is_new("a", "2")
    assert not seen.is_new("a", "2")
    assert seen.is_new("b", "2")


def test_a_live_message_is_dropped_after_its_replay_only() -> None:
    """The server may send one twice, and means it."""
    seen = SeenMessages()
    seen.is_new("a", "1")

    assert not seen.came_live("a", "1")
    assert (seen.came_live("a", "2"), seen.came_live("a", "2")) == (True, True)


def test_the_memory_of_replays_is_limited() -> None:
    """The oldest message is forgotten first."""
    seen = SeenMessages(limit=3)

    for number in "1234":
        assert seen.is_new("a", number)

    assert [seen.came_live("a", number) for number in "1234"] == [True, False, False, False]


def test_the_memory_of_live_messages_is_limited() -> None:
    """Before and after they were sorted in for a look at the history."""
    seen = SeenMessages(limit=3)

    for number in "1234":
        seen.came_live("a", number)
    assert [seen.is_new("a", number) for number in "234"] == [False, False, False]
    seen.came_live("a", "5")
    seen.came_live("a", "5")

    assert [seen.is_new("a", number) for number in "3452"] == [False, False, False, True]


def test_what_was_stored_is_known_again() -> None:
    """And nothing else: a durable inbox remembers for the next process."""
    seen = SeenMessages()
    seen.came_live("a", "0")

    seen.restore([("a", "1", False), ("a", "2", True)])

    assert [seen.is_new("a", number) for number in "012"] == [True, False, False]
    assert [seen.came_live("a", number) for number in "12"] == [True, False]


def test_after_a_fork_the_memory_stays() -> None:
    """Only the lock is another one."""
    seen = SeenMessages()
    seen.is_new("a", "1")

    seen._changing.acquire()  # by a thread that exists in the parent only
    seen.after_fork()

    assert not seen.is_new("a", "1")
