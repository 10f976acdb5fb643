"""The threads that run callbacks: order, shares, what is queued."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from evolution_ws import Event, LifecycleEvent

from .dispatch_tools import Parts, message


def test_events_run_in_order_on_a_thread_with_a_name(make_dispatcher: Callable[..., Parts]) -> None:
    """Every event that came before the end is handled before finish() returns."""
    parts, got = make_dispatcher(), list[tuple[int, str]]()
    parts.on(lambda event: got.append((event.data["n"], threading.current_thread().name)))
    parts.dispatcher.start()

    for number in range(500):
        parts.hub.deliver(message("a", number))

    assert parts.end() is True
    assert got == [(number, "evolution-ws-t-callbacks") for number in range(500)]


def test_without_callbacks_there_is_no_thread_and_no_queue(
    make_dispatcher: Callable[..., Parts],
) -> None:
    """Whoever only loops pays nothing for callbacks."""
    parts = make_dispatcher()

    parts.dispatcher.refresh()
    parts.dispatcher.start()

    assert (parts.hub.wants("call"), parts.dispatcher.is_working()) == (False, False)
    assert parts.end() is True


def test_start_is_idempotent(make_dispatcher: Callable[..., Parts]) -> None:
    """Threads that run are not started twice."""
    parts = make_dispatcher(workers=2)
    parts.on(print, "call")

    parts.dispatcher.start()
    threads = set(parts.dispatcher._workers._threads)
    parts.dispatcher.start()

    assert parts.dispatcher._workers._threads == threads
    assert sorted(thread.name for thread in threads) == [
        "evolution-ws-t-callbacks-1",
        "evolution-ws-t-callbacks-2",
    ]
    assert all(thread.daemon for thread in threads)


def test_events_that_come_before_the_start_are_handled_after_it(
    make_dispatcher: Callable[..., Parts],
) -> None:
    """A registered callback misses nothing."""
    parts, got = make_dispatcher(), list[Any]()
    parts.on(got.append, "call", "connect")
    event, up = Event("call", "sales"), LifecycleEvent(type="connect")

    parts.hub.deliver(up)
    parts.hub.deliver(event)
    parts.hub.deliver(Event("chats.set", "sales"))
    parts.dispatcher.start()
    parts.end()

    assert got == [up, event]


def test_only_what_callbacks_want_is_queued(make_dispatcher: Callable[..., Parts]) -> None:
    """Removing the last callback ends that; lifecycle events have to be asked for."""
    parts = make_dispatcher()
    parts.on(print)
    assert (parts.hub.wants("call"), parts.hub.wants("gap")) == (True, False)

    parts.on(len, "gap")
    parts.callbacks.remove(print)
    parts.dispatcher.refresh()
    assert (parts.hub.wants("call"), parts.hub.wants("gap")) == (False, True)

    parts.callbacks.remove(len)
    parts.dispatcher.refresh()
    assert (parts.hub.wants("call"), parts.hub.wants("gap")) == (False, False)


def test_events_of_one_chat_stay_in_order_on_several_threads(
    make_dispatcher: Callable[..., Parts],
) -> None:
    """Different chats run in parallel, each on a thread of its own."""
    parts = make_dispatcher(workers=4)
    got: dict[str, list[tuple[int, str]]] = {f"chat-{number}": [] for number in range(12)}

    def note(event: Any) -> None:
        chat = event.data["key"]["remoteJid"]
        got[chat].append((event.data["n"], threading.current_thread().name))

    parts.on(note)
    parts.dispatcher.start()
    for number in range(50):
        for chat in got:
            parts.hub.deliver(message(chat, number))
    parts.end()

    assert all([n for n, _ in notes] == list(range(50)) for notes in got.values())
    assert all(len({name for _, name in notes}) == 1 for notes in got.values())
    assert len({name for notes in got.values() for _, name in notes}) > 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(
            Event("messages.upsert", "i", {"key": {"remoteJid": "a"}}),
            Event("messages.update", "i", {"remoteJid": "a"}),
            id="message and its update",
        ),
        pytest.param(
            Event("presence.update", "i", {"id": "a"}),
            Event("chats.update", "i", [{"id": "a"}, {"id": "b"}]),
            id="presence and list",
        ),
        pytest.param(Event("chats.set", "i", []), Event("logout.instance", "i"), id="no chat"),
        pytest.param(Event("x", "i", "text"), Event("x", "i", [5]), id="odd data"),
        pytest.param(
            LifecycleEvent(type="connect"), LifecycleEvent(type="disconnect"), id="lifecycle"
        ),
    ],
)
def test_events_that_belong_together_have_the_same_thread(
    make_dispatcher: Callable[..., Parts], first: Any, second: Any
) -> None:
    """What tells the chat is found wherever an event has it."""
    parts, got = make_dispatcher(workers=8), list[str]()
    note = lambda: got.append(threading.current_thread().name)  # noqa: E731
    parts.on(note)
    parts.on(note, "connect", "disconnect")
    parts.dispatcher.start()

    parts.hub.deliver(first)
    parts.hub.deliver(second)
    parts.end()

    assert len(got) == 2
    assert len(set(got)) == 1


def test_lifecycle_events_run_once_on_the_first_thread(
    make_dispatcher: Callable[..., Parts],
) -> None:
    """Several threads do not multiply them."""
    parts, got = make_dispatcher(workers=3), list[str]()
    parts.on(lambda: got.append(threading.current_thread().name), "connect")
    parts.dispatcher.start()

    parts.hub.deliver(LifecycleEvent(type="connect"))
    parts.end()

    assert got == ["evolution-ws-t-callbacks-1"]
