"""Receiving in callbacks: order, threads, errors, the lifecycle, and run()."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from evolution_ws import (
    ConfigError,
    ConnectionState,
    EventType,
    Overflow,
)
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import assert_closes, make_client
from tests.helpers import Gate, in_thread, wait_until


def emit(server: FakeEvolutionServer, *numbers: int, type_: str = "messages.upsert") -> None:
    """Have the server emit numbered events."""
    for seq in numbers:
        server.emit(type_, {"seq": seq}, store=False)


def test_callbacks_run_in_order_on_their_own_thread(server: FakeEvolutionServer) -> None:
    """Callbacks of one event run in the order of their registration, one after the other."""
    log: list[tuple[str, int]] = []
    threads: set[str] = set()
    client = make_client(server.url)

    @client.on("messages.upsert", "MESSAGES_UPDATE")
    def first(event: Any) -> None:
        log.append(("first", event.data["seq"]))
        threads.add(threading.current_thread().name)

    @client.on()
    def everything(event: Any) -> None:
        log.append(("everything", event.data["seq"]))

    client.on(EventType.CALL, callback=lambda: log.append(("call", 0)))
    with client:
        emit(server, 1)
        emit(server, 2, type_="messages.update")
        emit(server, 3, type_="call")
        wait_until(lambda: len(log) == 6)

    assert log == [
        ("first", 1),
        ("everything", 1),
        ("first", 2),
        ("everything", 2),
        ("everything", 3),
        ("call", 0),
    ]
    assert len(threads) == 1
    assert threads.pop().endswith("-callbacks")


def test_a_predicate_chooses(server: FakeEvolutionServer) -> None:
    """A callback gets the events for which its predicate is true; a failing one counts."""
    even: list[int] = []
    client = make_client(server.url)

    def is_even(event: Any) -> bool:
        if event.data["seq"] == 3:
            raise ValueError
        return bool(event.data["seq"] % 2 == 0)

    client.on("*", callback=lambda event: even.append(event.data["seq"]), predicate=is_even)
    with client:
        emit(server, *range(6))
        wait_until(lambda: even[-1:] == [4])

    assert even == [0, 2, 4]
    assert client.stats.callback_errors == 1


def test_off_removes_a_callback(server: FakeEvolutionServer) -> None:
    """off() removes every registration of a callback, also from within it."""
    seen: list[int] = []
    client = make_client(server.url)

    @client.on("messages.upsert")
    def once(event: Any) -> None:
        seen.append(event.data["seq"])
        assert client.off(once) is True

    client.on("messages.upsert", callback=(other := Gate()))
    other.release()
    with client:
        emit(server, 1, 2)
        wait_until(lambda: client.stats.delivered >= 2)

    assert seen == [1]
    assert client.off(once) is False
    assert client.stats.callback_errors == 0


def test_a_callback_registered_while_connected(server: FakeEvolutionServer) -> None:
    """on() works at any time; events from then on are delivered."""
    seen: list[int] = []
    with make_client(server.url) as client:
        emit(server, 1)
        client.get(10)
        client.on("messages.upsert", callback=lambda event: seen.append(event.data["seq"]))
        emit(server, 2)
        wait_until(lambda: seen)

    assert seen == [2]


def test_the_lifecycle_is_told_in_order(server: FakeEvolutionServer) -> None:
    """Lifecycle events arrive where they belong among the events; "*" leaves them out."""
    log: list[Any] = []
    stars: list[str] = []
    client = make_client(server.url)
    client.on("connect", "disconnect", callback=lambda event: log.append(event.type))
    client.on("messages.upsert", callback=lambda event: log.append(event.data["seq"]))
    client.on("*", callback=lambda event: stars.append(event.type))
    with client:
        emit(server, 1)
        server.flush()
        wait_until(lambda: 1 in log)
        server.drop()
        server.wait_for_client("sales")
        wait_until(lambda: client.is_connected)
        emit(server, 2)
        wait_until(lambda: 2 in log)

    assert log == ["connect", 1, "disconnect", "connect", 2, "disconnect"]
    assert stars == ["messages.upsert", "messages.upsert"]


def test_connect_error_says_what_and_when(server: FakeEvolutionServer) -> None:
    """A failed attempt is told with its cause, its number and the pause before the next."""
    errors: list[Any] = []
    server.refuse(503, times=2)
    client = make_client(server.url)
    client.on("connect_error", callback=errors.append)
    client.on("disconnect", callback=errors.append)
    with client.connect(10):
        pass
    wait_until(lambda: len(errors) == 3)

    assert [(event.attempt, event.delay) for event in errors[:2]] == [(1, 0.05), (2, 0.1)]
    assert "HTTP 503" in str(errors[0].error)
    assert errors[2].reason == "closed by this client"


def test_a_context_is_entered_around_each_callback(server: FakeEvolutionServer) -> None:
    """callback_context= surrounds every call, errors included."""
    log: list[str] = []

    @contextmanager
    def context() -> Iterator[None]:
        log.append("enter")
        try:
            yield
        finally:
            log.append("exit")

    def fail() -> None:
        log.append("call")
        raise ValueError

    client = make_client(server.url, callback_context=context)
    client.on("messages.upsert", callback=fail)
    with client:
        emit(server, 1, 2)
        wait_until(lambda: len(log) == 6)

    assert log == ["enter", "call", "exit"] * 2


def test_several_workers_keep_each_chat_in_order() -> None:
    """With several threads, one slow chat holds no other up, and each stays in order."""
    seen: dict[str, list[int]] = {}
    gate = Gate()
    with FakeEvolutionServer(instances=("sales",)) as server:
        client = make_client(server.url, callback_workers=4)

        @client.on("messages.upsert")
        def note(event: Any) -> None:
            chat = event.data["key"]["remoteJid"]
            if chat == "slow" and not seen.get("slow"):
                gate()
            seen.setdefault(chat, []).append(event.data["seq"])

        with client:
            for seq in range(200):
                chat = "slow" if seq % 10 == 0 else f"chat {seq % 10}"
                key = {"remoteJid": chat, "id": f"A{seq}"}
                server.emit("messages.upsert", {"key": key, "seq": seq}, store=False)
            gate.wait_entered()
            wait_until(lambda: sum(map(len, seen.values())) > 20)
            gate.release()
            wait_until(lambda: sum(map(len, seen.values())) == 200)

    assert all(numbers == sorted(numbers) for numbers in seen.values())


def test_an_overflow_does_not_end_the_callbacks(
    server: FakeEvolutionServer, caplog: pytest.LogCaptureFixture
) -> None:
    """With the policy that raises, callbacks miss events, say so in the log, and go on."""
    seen: list[int] = []
    gate = Gate()
    client = make_client(server.url, queue_size=3, overflow=Overflow.RAISE)

    @client.on("messages.upsert")
    def slow(event: Any) -> None:
        if not seen:
            gate()
        seen.append(event.data["seq"])

    with client:
        emit(server, 0)
        gate.wait_entered()
        emit(server, *range(1, 10))
        wait_until(lambda: client.stats.received == 10)
        gate.release()
        wait_until(lambda: len(seen) == 4)
        emit(server, 10)
        wait_until(lambda: seen[-1] == 10)

    assert seen == [0, 1, 2, 3, 10]
    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert any("events were dropped" in record.getMessage() for record in errors)


def test_a_callback_that_cannot_be_called_is_refused(server: FakeEvolutionServer) -> None:
    """What takes two arguments, or is no function, is refused at once."""
    client = make_client(server.url)
    for callback in (lambda a, b: None, 5):
        with pytest.raises(ConfigError):
            client.on("messages.upsert", callback=callback)  # type: ignore[type-var]


def test_an_unknown_name_is_accepted_with_advice(
    server: FakeEvolutionServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A name that no server emits works, and the nearest known one is suggested."""
    client = make_client(server.url)
    client.on("mesages.upsert", callback=print)

    assert "did you mean" in caplog.text
    assert "messages.upsert" in caplog.text


# run


def test_run_blocks_until_closed(server: FakeEvolutionServer) -> None:
    """run() connects, runs callbacks, ends with close(), and has no inbox."""
    seen: list[int] = []
    client = make_client(server.url)
    client.on("messages.upsert", callback=lambda event: seen.append(event.data["seq"]))
    running = in_thread(client.run)
    server.wait_for_client("sales")
    emit(server, 1)
    wait_until(lambda: seen)
    with pytest.raises(ConfigError, match=r"run\(\) was called"):
        client.get(0)

    assert client.stats.queue_events == 0
    assert_closes(client)
    running.result()


def test_run_waits_for_the_callback_that_ends_it(server: FakeEvolutionServer) -> None:
    """A callback that closes the client runs to its end before run() returns."""
    done: list[bool] = []
    gate = Gate()
    client = make_client(server.url)

    @client.on("messages.upsert")
    def last() -> None:
        client.close()
        gate()
        done.append(True)

    running = in_thread(client.run)
    server.wait_for_client("sales")
    emit(server, 1)
    gate.wait_entered()
    wait_until(lambda: client.state is ConnectionState.CLOSED)
    assert not running.is_done
    gate.release()

    running.result()
    assert done == [True]


def test_callbacks_of_what_arrived_run_before_close_returns(server: FakeEvolutionServer) -> None:
    """close() lets the callbacks of received events run, as long as its timeout lasts."""
    seen: list[int] = []
    gate = Gate()
    client = make_client(server.url)

    @client.on("messages.upsert")
    def note(event: Any) -> None:
        if not seen:
            gate()
        seen.append(event.data["seq"])

    client.connect()
    emit(server, *range(50))
    gate.wait_entered()
    wait_until(lambda: client.stats.received == 50)
    closing = in_thread(client.close)
    wait_until(lambda: client.state is ConnectionState.CLOSED)
    gate.release()

    assert closing.result() is True
    assert seen == list(range(50))
