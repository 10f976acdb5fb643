"""Which events off the wire are delivered: the wanted ones, each once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from evolution_ws import ClientConfig, Event
from evolution_ws._holding import Holding
from evolution_ws._intake import Intake
from evolution_ws._seen import SeenMessages


class Bench:
    """An intake, and what it delivers."""

    def __init__(
        self,
        *instances: str,
        global_events: bool | None = None,
        unwanted: tuple[str, ...] = (),
        has_history: bool = True,
        is_wanted: Callable[[str, str | None], bool] | None = None,
    ) -> None:
        self.got: list[Event] = []
        self.sizes: list[int] = []
        self.joined: set[str] = set()
        self.seen = SeenMessages()
        self.holding = Holding(self._deliver, 10**6)
        self.intake = Intake(
            instances or None,
            ClientConfig(global_events=global_events),
            is_wanted or (lambda name, instance: name not in unwanted),
            self._deliver,
            self.joined.__contains__,
            self.seen if has_history else None,
            self.holding,
        )

    def _deliver(self, event: Event, size: int) -> None:
        self.got.append(event)
        self.sizes.append(size)

    def send(
        self,
        namespace: str,
        data: Any = None,
        *,
        instance: str = "sales",
        name: str = "call",
        mark: int | None = None,
        is_known: bool = True,
    ) -> bool:
        """Let an event come in; return whether it had to be decoded."""
        if not self.intake.wants(namespace, name, instance if is_known else None):
            return False
        payload = {"event": name, "instance": instance, "data": data}
        chosen = (hash(str(payload)) if namespace == "/" else 0) if mark is None else mark
        self.intake.on_event(namespace, name, payload, 7, chosen)
        return True

    @property
    def data(self) -> list[Any]:
        """The data of what was delivered."""
        return [event.data for event in self.got]

    @property
    def counters(self) -> tuple[int, int, int]:
        """What was received, filtered and found twice."""
        return self.intake.received, self.intake.filtered, self.intake.duplicates


def test_an_event_of_an_instance_is_delivered() -> None:
    """With its size, its namespace and the time of its arrival."""
    bench, before = Bench("sales"), time.time()

    assert bench.send("/sales", 1)

    event = bench.got[0]
    assert (event.data, event.namespace, bench.sizes) == (1, "/sales", [7])
    assert before <= event.received_at.timestamp() + 0.001
    assert bench.intake.last_event is not None
    assert bench.counters == (1, 0, 0)


def test_what_no_consumer_wants_is_not_decoded() -> None:
    """It is counted and costs nothing more."""
    bench = Bench("sales", unwanted=("call",))

    assert not bench.send("/sales")
    assert bench.send("/sales", name="chats.set")

    assert bench.counters == (2, 1, 0)


def test_consumers_are_asked_about_name_and_instance() -> None:
    """The instance is None where the head of the frame did not tell it."""
    asked: list[tuple[str, str | None]] = []

    def is_wanted(name: str, instance: str | None) -> bool:
        asked.append((name, instance))
        return False

    bench = Bench(is_wanted=is_wanted)

    bench.send("/", instance="a")
    bench.send("/a", name="chats.set", is_known=False)

    bench.send("/", is_known=False)

    assert asked == [("call", "a"), ("call", None)]
    assert bench.counters == (3, 2, 1)


def test_events_of_other_instances_are_not_delivered_from_root() -> None:
    """Global mode brings all instances; only those that were asked for are delivered."""
    bench = Bench("sales", "support")

    assert bench.send("/", 1, instance="sales")
    assert not bench.send("/", 2, instance="other")
    assert bench.send("/", 3, instance="other", is_known=False)
    assert bench.send("/", 4, instance="support", is_known=False)

    assert (bench.data, bench.counters) == ([1, 4], (4, 2, 0))


def test_a_client_of_all_instances_gets_all() -> None:
    """Nothing is filtered where nothing was named."""
    bench = Bench()

    bench.send("/", 1, instance="a")
    bench.send("/", 2, instance="b")

    assert (bench.data, bench.counters) == ([1, 2], (2, 0, 0))


def test_in_global_mode_the_copies_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """Once / delivers it is the stream: it is complete and in order."""
    caplog.set_level(logging.INFO)
    bench = Bench("sales")

    assert bench.send("/sales", 1)
    assert not bench.intake.is_global
    for number in (2, 3):
        assert bench.send("/", number)
        assert not bench.send("/sales", number)

    assert bench.intake.is_global
    assert (bench.data, bench.counters) == ([1, 2, 3], (5, 0, 2))
    assert caplog.messages == ["the server is in global mode: events are taken from /"]


def test_a_new_connection_finds_out_anew() -> None:
    """The server may have been configured differently meanwhile."""
    bench = Bench("sales")
    bench.send("/", 1, mark=5)

    bench.intake.begin_session()
    bench.send("/sales", 2)
    bench.send("/", 3, mark=5)

    assert (bench.data, bench.intake.duplicates) == ([1, 2, 3], 0)


def test_without_global_events_root_is_left_once_the_namespace_is_joined() -> None:
    """Until then / is better than nothing."""
    bench = Bench("sales", global_events=False)

    bench.send("/", 1)
    bench.joined.add("/sales")
    bench.send("/sales", 2)
    bench.send("/", 2)
    bench.send("/", 3, is_known=False)

    assert (bench.data, bench.counters) == ([1, 2], (4, 2, 0))


def test_the_second_copy_on_root_is_dropped() -> None:
    """Version 1.8 sends events that an instance selected twice."""
    bench = Bench("sales")

    for number in (1, 1, 2, 1, 3, 3):
        bench.send("/", number)

    assert (bench.data, bench.counters) == ([1, 2, 3], (6, 0, 3))


def test_equal_events_on_a_namespace_are_both_delivered() -> None:
    """Only / doubles; elsewhere the server means what it sends."""
    bench = Bench("sales")

    bench.send("/sales", 1)
    bench.send("/sales", 1)

    assert (bench.data, bench.intake.duplicates) == ([1, 1], 0)


def test_copies_are_remembered_for_some_hundred_events() -> None:
    """The second copy comes right behind the first; memory is limited."""
    bench = Bench("sales")

    for number in (*range(300), 299, 0):
        bench.send("/", number)

    assert bench.data == [*range(300), 0]


def test_a_message_that_a_replay_has_delivered_is_dropped() -> None:
    """What came out of the history does not come again off the wire."""
    bench = Bench("sales")
    bench.seen.is_new("sales", "A1")

    for key in ("A1", "A2", "A2"):
        bench.send("/sales", {"key": {"id": key}}, name="messages.upsert")

    assert [event.data["key"]["id"] for event in bench.got] == ["A2", "A2"]
    assert bench.counters == (3, 0, 1)


def test_without_a_history_no_message_is_remembered() -> None:
    """Nothing can come twice where nothing is replayed."""
    bench = Bench("sales", has_history=False)

    for _ in range(2):
        bench.send("/sales", {"key": {"id": "A1"}}, name="messages.upsert")

    assert (len(bench.got), bench.counters) == (2, (2, 0, 0))


def test_live_events_wait_for_the_replay_before_them() -> None:
    """An instance that is held comes later, in order; the others come at once."""
    bench = Bench("sales", "support")
    bench.holding.hold(["sales"])

    bench.send("/sales", 1)
    bench.send("/support", 2, instance="support")
    bench.send("/sales", 3)
    assert bench.data == [2]
    bench.holding.release("sales")

    assert bench.data == [2, 1, 3]


def test_malformed_packets_are_counted_and_logged_within_limits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that sends nothing else fills no disk."""
    bench = Bench()

    for _ in range(25):
        bench.intake.on_malformed("odd")

    assert bench.intake.malformed == 25
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 10
    assert caplog.messages[0] == "ignored a malformed packet: odd"
