"""The queues that a hub makes: limits, policies, what is durable, what is logged."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from evolution_ws import ClientConfig, Overflow
from evolution_ws._hub import Hub
from evolution_ws._queue import EventQueue

from .test_hub import CALL, CHAT, drain, make


def test_queues_with_a_name_come_from_the_durable_inbox() -> None:
    """The inbox has its own; subscriptions are in memory."""
    asked: list[str] = []

    class Inbox:
        """Stands for a durable inbox."""

        def new_queue(self, stream: str, report: object) -> str:
            """Note the name."""
            asked.append(stream)
            return "durable"

    inbox: Any = Inbox()
    hub = Hub(ClientConfig(), inbox)

    made: list[Any] = [
        hub.new_queue("the inbox"),
        hub.new_queue("the queue of the callbacks", stream="callbacks-1"),
        hub.new_queue("a subscription"),
    ]

    assert (asked, made[:2]) == (["inbox", "callbacks-1"], ["durable", "durable"])
    assert isinstance(made[2], EventQueue)
    assert (hub.is_durable, make().is_durable) == (True, False)
    assert (hub.auto_ack, make(auto_ack=False).auto_ack) == (True, False)


@pytest.mark.parametrize(
    ("queue_size", "maxsize", "room"), [(3, None, 3), (3, 2, 2), (0, 2, 2), (0, None, 10_000)]
)
def test_a_queue_has_room_even_without_an_inbox(
    queue_size: int, maxsize: int | None, room: int
) -> None:
    """A client without an inbox has callbacks and subscriptions all the same."""
    queue = make(queue_size=queue_size).new_queue("a queue", maxsize)

    for _ in range(10_100):
        queue.put(CALL, 1)

    assert len(queue) == room


def test_a_queue_has_the_policy_that_was_asked_for() -> None:
    """That of the client, unless another is given."""
    hub = make(queue_size=1, overflow="drop_newest")
    by_default, by_choice = hub.new_queue("a"), hub.new_queue("b", None, Overflow.DROP_OLDEST)

    for queue in (by_default, by_choice):
        queue.put(CALL, 1)
        queue.put(CHAT, 1)

    assert (drain(by_default), drain(by_choice)) == ([CALL], [CHAT])


def test_dropping_is_logged_once_per_episode(caplog: pytest.LogCaptureFixture) -> None:
    """At its beginning, and at its end with the number."""
    queue = make(queue_size=2).new_queue("the inbox")

    for _ in range(7):
        queue.put(CALL, 1)
    drain(queue)
    queue.put(CALL, 1)

    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (
            logging.WARNING,
            "the inbox is full: events are being dropped; its consumer is too slow",
        ),
        (logging.WARNING, "the inbox: 5 events were dropped while it was full"),
    ]
