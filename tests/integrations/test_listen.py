"""The loop of a process that handles events."""

from __future__ import annotations

import io
import itertools
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolution_ws import (
    ApiError,
    AuthenticationError,
    Backoff,
    Client,
    ConfigError,
    ConnectError,
    ConnectionLost,
    Event,
    InboxError,
    LifecycleEvent,
    WebsocketDisabledError,
)
from evolution_ws.integrations._listen import (
    HandlerFailed,
    Listener,
    _told,
    exit_code,
    received_message,
)
from evolution_ws.testing import FakeEvolutionServer, build
from tests.helpers import Gate, in_thread, wait_until


class Terminal(io.StringIO):
    """A file that a person looks at."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def listener(server: FakeEvolutionServer, handle: Callable[[Event], int], **how: Any) -> Listener:
    """Return a listener of the instance sales."""
    return Listener(Client(server.url, "sales", backfill=False), handle, **how)


def test_listener_handles_events_in_order(server: FakeEvolutionServer) -> None:
    """Each event is handled once, in order, until stop() is called."""
    seen: list[Any] = []

    def handle(event: Any) -> int:
        seen.append(event.message.text)
        return 0

    loop = listener(server, handle)
    task = in_thread(loop.run)
    server.wait_for_client("sales")
    for text in "abc":
        server.emit(build.text(text, instance="sales"))
    wait_until(lambda: len(seen) == 3)
    loop.stop()
    task.result()

    assert seen == ["a", "b", "c"]
    assert (loop.handled, loop.failed) == (3, 0)
    wait_until(lambda: not server.clients)  # it hears of the end a moment later


def test_listener_handles_only_the_types_it_was_given(server: FakeEvolutionServer) -> None:
    """Other events are passed over."""
    seen: list[str] = []

    def handle(event: Event) -> int:
        seen.append(event.type)
        loop.stop()
        return 0

    loop = listener(server, handle, types=("messages.upsert",))
    task = in_thread(loop.run)
    server.wait_for_client("sales")
    server.emit(build.call(instance="sales"))
    server.emit(build.text("a", instance="sales"))
    task.result()

    assert seen == ["messages.upsert"]


def test_failures_are_counted(server: FakeEvolutionServer) -> None:
    """A handler that fails does not end the loop unless it was told so."""

    def handle(event: Event) -> int:
        if loop.handled == 1:
            loop.stop()
        return 2

    loop = listener(server, handle)
    task = in_thread(loop.run)
    server.wait_for_client("sales")
    for text in "ab":
        server.emit(build.text(text, instance="sales"))
    task.result()

    assert (loop.handled, loop.failed) == (2, 4)


def test_exit_on_error_ends_the_loop(server: FakeEvolutionServer) -> None:
    """The first failure ends it, and the client is closed."""
    loop = listener(server, lambda event: 1, exit_on_error=True)
    task = in_thread(loop.run)
    server.wait_for_client("sales")
    server.emit(build.text("a", instance="sales"))

    with pytest.raises(HandlerFailed, match=r"messages\.upsert"):
        task.result()
    wait_until(lambda: server.clients == [])


def test_status_tells_what_happens_to_the_connection(server: FakeEvolutionServer) -> None:
    """Each change is a line, for a log that is read later."""
    out = io.StringIO()
    loop = listener(server, lambda event: 0, out=out)
    task = in_thread(loop.run)
    server.wait_for_client("sales")
    wait_until(lambda: "connected" in out.getvalue())
    server.stop()
    wait_until(lambda: "no connection" in out.getvalue())
    server.start()
    wait_until(lambda: out.getvalue().count(" connected") == 2)
    loop.stop()
    task.result()
    said = [line.partition(" ")[2] for line in out.getvalue().splitlines()]

    assert said[0].startswith("connecting: <Client http://127.0.0.1")
    assert any(line.startswith("connection lost: ") for line in said)
    assert any("; again in " in line for line in said)
    assert said[-1] == "stopped: 0 events handled, 0 failures"
    assert "\x1b" not in out.getvalue()


def test_status_on_a_terminal_is_one_line_that_changes(server: FakeEvolutionServer) -> None:
    """On a terminal the counters stand in a line that is written again."""
    out = Terminal()
    loop = listener(server, lambda event: 0, out=out)
    task = in_thread(loop.run)
    server.wait_for_client("sales")
    server.emit(build.text("a", instance="sales"))
    wait_until(lambda: "open: 1 handled, 0 waiting, 0 dropped, 0 failures" in out.getvalue())
    loop.stop()
    task.result()

    assert ", last " in out.getvalue()
    assert "\r\x1b[K" in out.getvalue()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_signal_ends_the_loop_after_the_event_in_hand(
    number: signal.Signals, server: FakeEvolutionServer
) -> None:
    """The handler is finished, the signal's own handler is back afterwards."""
    gate, finished = Gate(), []

    def handle(event: Event) -> int:
        os.kill(os.getpid(), number)
        gate()
        finished.append(event)
        return 0

    loop = listener(server, handle)
    before = signal.getsignal(number)

    def act() -> None:
        server.wait_for_client("sales")
        server.emit(build.text("a", instance="sales"))
        server.emit(build.text("b", instance="sales"))
        gate.wait_entered()
        gate.release()

    task = in_thread(act)
    loop.run()
    task.result()

    assert len(finished) == 1
    assert signal.getsignal(number) is before


def test_second_ctrl_c_does_not_wait(server: FakeEvolutionServer) -> None:
    """Who is in a hurry presses it again."""

    def handle(event: Event) -> int:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the second one did nothing")

    loop = listener(server, handle)

    def act() -> None:
        server.wait_for_client("sales")
        server.emit(build.text("a", instance="sales"))

    task = in_thread(act)
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    task.result()


def test_closed_client_ends_the_loop(server: FakeEvolutionServer) -> None:
    """A handler that closes the client ends the loop with it."""
    client = Client(server.url, "sales", backfill=False)

    def handle(event: Event) -> int:
        threading.Thread(target=client.close).start()
        return 0

    task = in_thread(Listener(client, handle).run)
    server.wait_for_client("sales")
    server.emit(build.text("a", instance="sales"))

    assert task.result() is None


def test_refused_key_ends_the_loop(server: FakeEvolutionServer) -> None:
    """An error that no waiting cures is raised, whatever the status says."""
    server.api_key = "right"
    out = io.StringIO()
    client = Client(server.url, "sales", api_key="wrong-key")

    with pytest.raises(AuthenticationError):
        Listener(client, lambda event: 0, out=out).run()
    assert "wrong-key" not in out.getvalue()


def test_given_up_reconnecting_ends_the_loop(server: FakeEvolutionServer) -> None:
    """With a limit of attempts the loop ends when they are used up."""
    server.stop()
    client = Client(server.url, "sales", backoff=Backoff(initial=0.01, attempts=2))

    with pytest.raises(ConnectError):
        Listener(client, lambda event: 0).run()


def test_durable_event_is_done_when_it_was_handled(
    server: FakeEvolutionServer, tmp_path: Path
) -> None:
    """What failed with exit_on_error comes again after a restart, what was handled does not."""
    outcomes = iter([0, 1])

    def run(handle: Callable[[Any], int], **how: Any) -> Listener:
        client = Client(
            server.url, "sales", backfill=False, durable=str(tmp_path / "inbox"), auto_ack=False
        )
        return Listener(client, handle, exit_on_error=True)

    first = run(lambda event: next(outcomes))
    task = in_thread(first.run)
    server.wait_for_client("sales")
    for text in "ab":
        server.emit(build.text(text, instance="sales"))
    with pytest.raises(HandlerFailed):
        task.result()
    seen: list[tuple[str, bool]] = []

    def again(event: Any) -> int:
        seen.append((event.message.text, event.redelivered))
        second.stop()
        return 0

    second = run(again)
    task = in_thread(second.run)
    try:
        wait_until(lambda: seen)
    finally:
        second.stop()
    task.result()

    assert seen == [("b", True)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 78),
        (AuthenticationError("x"), 77),
        (InboxError("x"), 74),
        (HandlerFailed("x"), 70),
        (WebsocketDisabledError("x"), 69),
        (ConnectionLost("x"), 69),
        (ApiError(500), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_exit_code_tells_a_supervisor_what_happened(error: Exception, code: int) -> None:
    """The numbers are those of sysexits.h."""
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (LifecycleEvent(type="connect"), "connected"),
        (LifecycleEvent(type="disconnect", reason="kicked"), "connection lost: kicked"),
        (
            LifecycleEvent(type="connect_error", error=ConnectError("down"), delay=1.5),
            "no connection: down; again in 1.5 s",
        ),
        (LifecycleEvent(type="connect_error", error=ConnectError("no")), "no connection: no"),
        (
            LifecycleEvent(type="gap", instance="sales", replayed=3, complete=True),
            "gap of sales: 3 messages fetched, complete",
        ),
        (LifecycleEvent(type="gap", complete=False), "gap: 0 messages fetched, incomplete"),
    ],
    ids=["connect", "disconnect", "again", "given-up", "gap", "gap-of-all"],
)
def test_lifecycle_events_are_told_in_plain_words(event: LifecycleEvent, said: str) -> None:
    """One line for each."""
    assert _told(event) == said


def test_received_messages_are_those_of_others() -> None:
    """Own messages, sent ones and other events are none."""
    events = [build.text("a"), build.text("b", from_me=True), build.text("c", sent=True)]
    found = [received_message(event) for event in itertools.chain(events, [build.call()])]

    assert [None if message is None else message.text for message in found] == [
        "a", None, None, None,
    ]  # fmt: skip
