"""The threads that run callbacks: when an event is done, and when they end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from evolution_ws import ConnectError, Event, Overflow, _dispatch
from evolution_ws._dispatch import shard_of
from evolution_ws._queue import EventQueue

from .dispatch_tools import Parts, message
from .helpers import MS, Gate, wait_until


class Inbox:
    """Stands for a durable inbox: its queues are in memory."""

    def __init__(self) -> None:
        self.streams: list[str] = []

    def new_queue(self, stream: str, report: Callable[[int], object]) -> EventQueue[Any]:
        """Return a queue, and note its name."""
        self.streams.append(stream)
        return EventQueue(100, 10**6, on_episode=report)


def chat_of(worker: int) -> str:
    """Return a chat whose events are those of one of two threads."""
    return next(name for name in map(str, range(100)) if shard_of(message(name, 0), 2) == worker)


def acknowledged(number: int, into: list[int]) -> Event:
    """Return an event that notes its number when it is done."""
    event = message("a", number)
    object.__setattr__(event, "_ack", lambda: into.append(number))
    return event


def test_an_event_is_done_when_its_callbacks_have_run(
    make_dispatcher: Callable[..., Parts],
) -> None:
    """It is acknowledged after the callback, not before."""
    inbox, gate, done = Inbox(), Gate(), list[int]()
    parts = make_dispatcher(workers=2, inbox=inbox)
    parts.on(gate)
    parts.dispatcher.start()

    parts.hub.deliver(acknowledged(1, done))
    gate.wait_entered()
    before = list(done)
    gate.release()
    parts.end()

    assert (inbox.streams, before, done) == (["callbacks-1", "callbacks-2"], [], [1])


def test_an_event_whose_callback_failed_is_not_done(make_dispatcher: Callable[..., Parts]) -> None:
    """It will be delivered again; the next one is another matter."""
    parts, done = make_dispatcher(inbox=Inbox()), list[int]()
    parts.on(lambda event: 1 / (event.data["n"] - 1))
    parts.dispatcher.start()

    for number in (1, 2):
        parts.hub.deliver(acknowledged(number, done))
    parts.end()

    assert (done, parts.callbacks.errors) == ([2], 1)


@pytest.mark.parametrize("inbox", [None, Inbox()], ids=["in memory", "by the user"])
def test_events_are_not_done_by_themselves(
    make_dispatcher: Callable[..., Parts], inbox: Any
) -> None:
    """Without a durable inbox, or with auto_ack=False."""
    parts, done = make_dispatcher(inbox=inbox, auto_ack=False), list[int]()
    parts.on(print)
    parts.dispatcher.start()

    parts.hub.deliver(acknowledged(1, done))
    parts.end()

    assert done == []


def test_is_working_tells_whether_threads_live(make_dispatcher: Callable[..., Parts]) -> None:
    """From the start until the end."""
    parts = make_dispatcher()
    parts.on(print)
    seen = [parts.dispatcher.is_working()]

    parts.dispatcher.start()
    seen.append(parts.dispatcher.is_working())
    parts.end()

    assert [*seen, parts.dispatcher.is_working()] == [False, True, False]


def test_finish_from_a_callback_waits_for_the_others_only(
    make_dispatcher: Callable[..., Parts],
) -> None:
    """A thread cannot wait for itself."""
    parts, got = make_dispatcher(), list[bool]()
    parts.on(lambda: got.append(parts.end()))
    parts.dispatcher.start()

    parts.hub.deliver(Event("call", "sales"))
    wait_until(lambda: got)

    assert got == [True]


def test_a_callback_that_does_not_return_is_left_behind(
    make_dispatcher: Callable[..., Parts], caplog: pytest.LogCaptureFixture
) -> None:
    """What waited behind it is thrown away, and the log says so."""
    parts, gate, got = make_dispatcher(), Gate(), list[int]()

    def slow(event: Any) -> None:
        got.append(event.data["n"])
        gate()

    parts.on(slow)
    parts.dispatcher.start()
    for number in range(3):
        parts.hub.deliver(message("a", number))
    gate.wait_entered()

    assert parts.end(timeout=10 * MS) is False
    gate.release()
    assert parts.end() is True
    assert got == [0]
    assert "a callback has not returned; ['evolution-ws-t-callbacks']" in caplog.text


def test_missing_events_are_logged_and_callbacks_go_on(
    make_dispatcher: Callable[..., Parts], caplog: pytest.LogCaptureFixture
) -> None:
    """There is no loop to which an overflow could be raised."""
    parts, gate, got = make_dispatcher(queue_size=2, overflow=Overflow.RAISE), Gate(), list[int]()

    def slow(event: Any) -> None:
        got.append(event.data["n"])
        gate()

    parts.on(slow)
    parts.dispatcher.start()
    parts.hub.deliver(message("a", 0))
    gate.wait_entered()
    for number in range(1, 6):
        parts.hub.deliver(message("a", number))
    gate.release()
    wait_until(lambda: got == [0, 1, 2])
    wait_until(lambda: parts.hub.waiting[0] == 0)
    parts.hub.deliver(message("a", 9))
    parts.end()

    assert got == [0, 1, 2, 9]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [error.getMessage()[:33] for error in errors] == ["callbacks: 3 events were dropped:"]


def test_an_error_ends_the_threads_and_they_can_start_again(
    make_dispatcher: Callable[..., Parts],
) -> None:
    """After a failure that was repaired, callbacks go on."""
    parts, got = make_dispatcher(), list[int]()
    parts.on(lambda event: got.append(event.data["n"]))
    parts.dispatcher.start()
    parts.hub.deliver(message("a", 1))
    parts.hub.close(KeyError("why"))
    wait_until(lambda: not parts.dispatcher.is_working())

    parts.hub.reopen()
    parts.dispatcher.start()
    parts.hub.deliver(message("a", 2))
    parts.end()

    assert got == [1, 2]


def test_a_thread_in_a_callback_holds_no_other_up(
    make_dispatcher: Callable[..., Parts],
) -> None:
    """After a failure that was repaired, each thread that had ended is started again."""
    parts, got, gate = make_dispatcher(workers=2), list[int](), Gate()
    slow, quick = chat_of(0), chat_of(1)

    def callback(event: Event) -> None:
        if event.data["n"] == 1:
            gate()
        got.append(event.data["n"])

    parts.on(callback)
    parts.dispatcher.start()
    parts.hub.deliver(message(slow, 1))
    gate.wait_entered()
    parts.hub.close(KeyError("why"))
    wait_until(lambda: len(parts.dispatcher._workers._threads) == 1)

    parts.hub.reopen()
    parts.dispatcher.start()
    parts.hub.deliver(message(quick, 2))
    wait_until(lambda: got == [2])
    gate.release()
    parts.hub.deliver(message(slow, 3))
    parts.end()

    assert got == [2, 1, 3]


def test_a_start_while_a_thread_ends(
    make_dispatcher: Callable[..., Parts], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on, although it had met the end of its queue already."""
    parts, got, gate = make_dispatcher(), list[int](), Gate()
    parts.on(lambda event: got.append(event.data["n"]))
    parts.dispatcher.start()
    monkeypatch.setattr(_dispatch._log, "debug", lambda *_: gate())
    parts.hub.close(KeyError("why"))
    gate.wait_entered()

    parts.hub.reopen()
    parts.dispatcher.start()
    gate.release()
    parts.hub.deliver(message("a", 1))
    wait_until(lambda: got == [1])


def test_a_process_that_can_start_no_thread(
    make_dispatcher: Callable[..., Parts], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says so, and the next start makes up for it."""
    parts, got = make_dispatcher(), list[int]()
    parts.on(lambda event: got.append(event.data["n"]))

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(ConnectError, match="can start no thread"):
            parts.dispatcher.start()
    before = parts.dispatcher.is_working()
    parts.dispatcher.start()
    parts.hub.deliver(message("a", 1))
    parts.end()

    assert (before, got) == (False, [1])


@pytest.mark.parametrize("has_callback", [True, False])
def test_after_a_fork_the_threads_are_started_afresh(
    make_dispatcher: Callable[..., Parts], has_callback: bool
) -> None:
    """Those of the parent do not exist in the child."""
    parts, got = make_dispatcher(), list[int]()
    if has_callback:
        parts.on(lambda event: got.append(event.data["n"]))

    parts.hub.after_fork()
    parts.dispatcher.after_fork()
    if not has_callback:
        parts.on(lambda event: got.append(event.data["n"]))
    parts.dispatcher.start()
    parts.hub.deliver(message("a", 1))
    parts.end()

    assert got == [1]
