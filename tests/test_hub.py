"""Each event to every consumer that wants it."""

from __future__ import annotations

import pytest

from evolution_ws import ClientConfig, Event, LifecycleEvent, _hub
from evolution_ws._durable_queue import DurableQueue
from evolution_ws._hub import Consumer, Delivered, Hub, concerns
from evolution_ws._queue import EventQueue, QueueClosed

from .helpers import MS, in_thread, wait_until


CALL, CHAT = Event("call", "sales"), Event("chats.set", "support")
DOWN, GAP = LifecycleEvent(type="disconnect"), LifecycleEvent(type="gap", instance="sales")


def make(**options: object) -> Hub:
    """Return a hub with these settings."""
    return Hub(ClientConfig(**options))  # type: ignore[arg-type]


def add(
    hub: Hub,
    types: set[str] | None = None,
    instances: set[str] | None = None,
    lifecycle: set[str] | None = None,
) -> Consumer:
    """Add a consumer that wants these."""
    consumer = Consumer(
        hub.new_queue("a queue"),
        None if types is None else frozenset(types),
        None if instances is None else frozenset(instances),
        frozenset(lifecycle or ()),
    )
    hub.add(consumer)
    return consumer


def drain(queue: EventQueue[Delivered] | DurableQueue) -> list[Delivered]:
    """Take what is there."""
    hands: list[list[Delivered]] = [[] for _ in range(len(queue))]
    for hand in hands:
        queue.take(hand, 0)
    return [hand[0] for hand in hands]


def putters_of(consumer: Consumer) -> int:
    """Return how many producers wait for room."""
    return len(consumer.queue._putters)


@pytest.mark.parametrize(
    ("types", "instances", "lifecycle", "accepted"),
    [
        pytest.param(None, None, None, [CALL, CHAT], id="all of the wire"),
        pytest.param({"call"}, None, None, [CALL], id="one type"),
        pytest.param({"call", "gap"}, None, None, [CALL, GAP], id="type and lifecycle"),
        pytest.param(None, None, {"gap"}, [CALL, CHAT, GAP], id="wire and lifecycle"),
        pytest.param(None, {"support"}, None, [CHAT], id="one instance"),
        pytest.param(
            {"disconnect", "gap"}, {"support"}, None, [DOWN], id="lifecycle of one instance"
        ),
        pytest.param(set(), None, None, [], id="nothing"),
    ],
)
def test_a_consumer_gets_what_it_wants(
    types: set[str] | None,
    instances: set[str] | None,
    lifecycle: set[str] | None,
    accepted: list[Delivered],
) -> None:
    """Types, instances and lifecycle events are chosen independently."""
    hub = make()
    consumer = add(hub, types, instances, lifecycle)

    for event in (CALL, CHAT, DOWN, GAP):
        hub.deliver(event)

    assert drain(consumer.queue) == accepted


@pytest.mark.parametrize(
    ("event", "instances", "expected"),
    [
        (CALL, None, True),
        (CALL, {"sales"}, True),
        (CALL, {"support"}, False),
        (DOWN, {"support"}, True),
        (GAP, {"support"}, False),
        (GAP, {"sales"}, True),
    ],
)
def test_an_event_of_the_connection_concerns_every_instance(
    event: Delivered, instances: set[str] | None, expected: bool
) -> None:
    """Who asked for one instance hears of the connection that carries it."""
    assert concerns(event, None if instances is None else frozenset(instances)) is expected


def test_every_consumer_gets_an_event_of_its_own() -> None:
    """Streams do not take from each other."""
    hub = make()
    first, second = add(hub), add(hub)

    hub.deliver(CALL, 7)

    assert hub.waiting == (2, 14)
    assert drain(first.queue) == drain(second.queue) == [CALL]


def test_the_hub_wants_what_any_consumer_wants() -> None:
    """What nobody wants need not be decoded."""
    hub = make()

    def wanted() -> list[object]:
        names = "call", "gap", "chats.set", "connect"
        return [hub.types, *filter(hub.wants, names)]

    assert wanted() == [frozenset()]
    consumer = add(hub, {"call", "gap"})
    assert wanted() == [frozenset({"call"}), "call", "gap"]
    add(hub)
    assert wanted() == [None, "call", "gap", "chats.set"]
    hub.remove(consumer)
    assert wanted() == [None, "call", "chats.set"]


def test_the_hub_knows_which_instances_are_wanted() -> None:
    """Where the head of a frame tells the instance, others need not be decoded."""
    hub = make()
    add(hub, {"call"}, {"sales"})

    assert [hub.wants("call", name) for name in (None, "sales", "other")] == [True, True, False]
    add(hub, {"call"})
    assert hub.wants("call", "other")


def test_consumers_may_change_their_mind() -> None:
    """After refresh() the hub knows."""
    hub = make()
    consumer = add(hub, {"call"})
    before = hub.wants("call")

    consumer.types = frozenset({"chats.set"})
    hub.refresh()

    assert (before, hub.wants("call"), hub.wants("chats.set")) == (True, False, True)


def test_the_index_of_names_is_limited() -> None:
    """A server that invents names for ever fills no memory, and is served all the same."""
    hub = make()
    consumer = add(hub)

    for number in range(1100):
        assert hub.wants(f"name-{number}")
        hub.deliver(Event(f"name-{number}", "sales"), 1)

    assert len(hub._by_name) == 1000
    assert len(consumer.queue) == 1100


def test_a_removed_consumer_gets_nothing_more() -> None:
    """Removing it twice is no error."""
    hub = make()
    consumer = add(hub)

    hub.remove(consumer)
    hub.remove(consumer)
    hub.deliver(CALL)

    assert drain(consumer.queue) == []


def test_the_counters_outlive_their_consumers() -> None:
    """Delivered and dropped count for the client, not for a stream."""
    hub = make(queue_size=2)
    consumer = add(hub)

    for _ in range(5):
        hub.deliver(CALL)
    assert (hub.delivered, hub.dropped) == (0, 3)
    drain(consumer.queue)
    assert (hub.delivered, hub.dropped) == (2, 3)
    hub.remove(consumer)

    assert (hub.delivered, hub.dropped, hub.waiting) == (2, 3, (0, 0))


def test_close_ends_every_queue_with_its_error() -> None:
    """Also that of a consumer that comes too late."""
    hub = make()
    early = add(hub)
    hub.deliver(CALL)

    hub.close(KeyError("why"))
    late = add(hub)

    assert drain(early.queue) == [CALL]
    for consumer in (early, late):
        with pytest.raises(KeyError, match="why"):
            consumer.queue.take([], 0)


def test_close_without_an_error_ends_quietly() -> None:
    """The streams are simply over."""
    hub = make()
    consumer = add(hub)

    hub.close()

    with pytest.raises(QueueClosed):
        consumer.queue.take([], 0)


def test_reopen_goes_on_with_the_same_consumers() -> None:
    """A failure that was repaired ends no stream for good."""
    hub = make()
    early = add(hub)
    hub.close(KeyError("why"))

    hub.reopen()
    late = add(hub)
    hub.deliver(CALL)

    assert drain(early.queue) == drain(late.queue) == [CALL]


def test_after_a_fork_the_queues_are_empty() -> None:
    """The events in them are the parent's."""
    hub = make()
    consumer = add(hub)
    hub.deliver(CALL)
    before = consumer.queue

    hub.after_fork()
    hub.deliver(CHAT)

    assert (drain(consumer.queue), drain(before)) == ([CHAT], [CALL])


def test_patient_delivery_waits_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay drops nothing: it has the time that a socket has not."""
    monkeypatch.setattr(_hub, "_PATIENCE", MS)
    hub = make(queue_size=1)
    wanted, other = add(hub), add(hub, None, {"support"})
    hub.deliver(CALL)
    looks: list[bool] = []
    wait_for_room = wanted.queue.wait_for_room

    def wait(size: int, timeout: float) -> bool:
        looks.append(wait_for_room(size, timeout))
        return looks[-1]

    wanted.queue.wait_for_room = wait  # type: ignore[method-assign]
    task = in_thread(hub.deliver_patiently, CALL, 1)
    wait_until(lambda: looks)
    first = drain(wanted.queue)

    assert task.result() is True
    assert (first, drain(wanted.queue), drain(other.queue)) == ([CALL], [CALL], [])


def test_patient_delivery_gives_up_when_the_hub_is_closed() -> None:
    """Even if the queue did not notice."""
    hub = make(queue_size=1)
    consumer = add(hub)

    def wait(size: int, timeout: float) -> bool:
        hub.close()
        return False

    consumer.queue.wait_for_room = wait  # type: ignore[method-assign]

    assert hub.deliver_patiently(CALL, 1) is False


def test_patient_delivery_ends_with_the_hub() -> None:
    """Nobody is left waiting for a consumer that will never come."""
    hub = make(queue_size=1)
    consumer = add(hub)
    hub.deliver(CALL)

    task = in_thread(hub.deliver_patiently, CALL, 1)
    wait_until(lambda: putters_of(consumer))
    hub.close()

    assert task.result() is False
