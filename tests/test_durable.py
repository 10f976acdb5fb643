"""The durable inbox of a client: what is done, and what comes again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from evolution_ws import (
    InboxError,
)
from evolution_ws._store import Store
from evolution_ws.inbox import inspect
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import make_client, own_threads
from tests.durable_tools import (
    again,
    client_of,
    emit,
    left_over,
    new,
    received,
    taken,
    undone,
)
from tests.helpers import Gate, in_thread, wait_until


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the path of a file that does not exist yet."""
    return str(tmp_path / "inbox.db")


# Done, and not done


def test_an_event_is_on_the_disk_before_a_consumer_has_it(
    server: FakeEvolutionServer, path: str
) -> None:
    """Whoever gets it could lose it, and would get it again."""
    with client_of(server, path) as client:
        emit(server, 1)
        client.get(5)

        assert undone(path) == 1


def test_a_loop_that_comes_back_is_done_with_its_event(
    server: FakeEvolutionServer, path: str
) -> None:
    """What was looped over is gone; what was not comes again, first, in order and marked."""
    with client_of(server, path) as client:
        emit(server, *range(6))
        received(client, 6)
        assert taken(client, limit=4) == new(0, 1, 2, 3)
    with client_of(server, path) as client:
        emit(server, 6)
        received(client, 1)
        assert taken(client) == [*again(4, 5), *new(6)]

    assert undone(path) == 0


@pytest.mark.parametrize("leave", ["break", "exception", "close"])
@pytest.mark.parametrize("acknowledges", [False, True], ids=["", "ack"])
def test_a_loop_that_is_left(
    server: FakeEvolutionServer, path: str, leave: str, acknowledges: bool
) -> None:
    """Its last event comes again, unless it was acknowledged or the loop came back for more."""
    client = client_of(server, path)
    emit(server, 1, 2)
    received(client, 2)
    try:
        for event in client.events():
            if acknowledges:
                event.ack()
            if leave == "exception":
                raise RuntimeError
            client.close()
            if leave == "break":
                break
    except RuntimeError:
        client.close()

    assert left_over(path) == ([2] if acknowledges or leave == "close" else [1, 2])


def test_get_is_done_with_the_event_before(server: FakeEvolutionServer, path: str) -> None:
    """The next call of the same thread counts, an unsuccessful one as well."""
    with client_of(server, path) as client:
        emit(server, 1, 2, 3)
        assert client.get(5).data["seq"] == 1
        assert in_thread(client.get, 5).result().data["seq"] == 2
        assert client.get(5).data["seq"] == 3
        with pytest.raises(TimeoutError):
            client.get(0)

    assert left_over(path) == [2]


def test_acknowledging_more_than_once(server: FakeEvolutionServer, path: str) -> None:
    """An event is done once, whoever says so how often."""
    with client_of(server, path) as client:
        emit(server, 1, 2)
        for event in client.events(limit=1):
            event.ack()
            event.ack()
        event.ack()
        wait_until(lambda: undone(path) == 1)

    assert left_over(path) == [2]


def test_without_auto_ack_only_ack_counts(server: FakeEvolutionServer, path: str) -> None:
    """Neither a loop, nor get(), nor a callback that returns is enough."""
    done = []
    client = make_client(server.url, durable=path, auto_ack=False)
    client.on("messages.upsert", callback=lambda event: done.append(event))
    with client:
        emit(server, *range(4))
        received(client, 4)
        assert taken(client, limit=2) == new(0, 1)
        assert [client.get(5).data["seq"] for _ in range(2)] == [2, 3]
        wait_until(lambda: len(done) == 4)
        done[1].ack()
    assert (undone(path), undone(path, "callbacks-1")) == (4, 3)

    with client_of(server, path, auto_ack=False) as client:
        for event in client.events(limit=4):
            event.ack()
    assert undone(path) == 0


def test_events_that_a_loop_does_not_want_are_done(server: FakeEvolutionServer, path: str) -> None:
    """They are taken from the inbox, and do not come again."""
    with client_of(server, path, auto_ack=False) as client:
        emit(server, 1, 2)
        server.emit("call", {"seq": 3})
        assert [event.type for event in client.events("call", limit=1)] == ["call"]

    assert left_over(path) == [3]


def test_an_event_that_was_put_back_is_not_marked(server: FakeEvolutionServer, path: str) -> None:
    """An interrupted take hands out the same event afterwards as if nothing had been."""
    with client_of(server, path) as client:
        emit(server, 1)
        queue = client._inbox._consumer.queue  # type: ignore[union-attr]
        hand: list[Any] = []
        queue.take(hand, 5)
        queue.untake(hand[0])

        assert taken(client) == new(1)
    assert undone(path) == 0


def test_the_key_is_with_the_event_but_not_on_the_disk(
    server: FakeEvolutionServer, path: str
) -> None:
    """A token that the server exposes is not written anywhere."""
    server.expose_keys = True
    with client_of(server, path) as client:
        emit(server, 1)
        token = client.get(5).api_key
        found = Path(path).read_bytes() + Path(path + "-wal").read_bytes()

    assert token
    assert token.encode() not in found
    assert b"ID1" in found


# Callbacks


def test_a_callback_that_returned_is_done(server: FakeEvolutionServer, path: str) -> None:
    """Afterwards, and not before."""
    gate = Gate()
    client = make_client(server.url, durable=path, queue_size=0)
    client.on("messages.upsert", callback=gate)
    with client:
        emit(server, 1)
        gate.wait_entered()
        before = undone(path, "callbacks-1")
        gate.release()

    assert (before, undone(path, "callbacks-1")) == (1, 0)


def test_a_callback_that_raised_gets_its_event_again(
    server: FakeEvolutionServer, path: str
) -> None:
    """After a restart; on_error is called as ever, and the events behind it are not held up."""
    errors: list[str] = []
    seen: list[Any] = []

    def fail(event: Any) -> None:
        if event.data["seq"] == 2:
            raise ValueError("no")

    client = make_client(
        server.url, durable=path, queue_size=0, on_error=lambda exc, event: errors.append(str(exc))
    )
    client.on("messages.upsert", callback=fail)
    client.on("messages.upsert", callback=lambda event: seen.append(event))
    with client:
        emit(server, 1, 2, 3)
        wait_until(lambda: len(seen) == 3)
    second = make_client(server.url, durable=path, queue_size=0)
    second.on("messages.upsert", callback=lambda event: seen.append(event))
    with second:
        wait_until(lambda: len(seen) == 4)

    assert errors == ["no"]
    assert [(e.data["seq"], e.redelivered) for e in seen] == [*new(1, 2, 3), *again(2)]
    assert undone(path, "callbacks-1") == 0


def test_inbox_and_callbacks_are_apart(server: FakeEvolutionServer, path: str) -> None:
    """Each has every event, and is done with it for itself."""
    seen: list[int] = []
    client = make_client(server.url, durable=path)
    client.on("messages.upsert", callback=lambda event: seen.append(event.data["seq"]))
    with client:
        emit(server, 1, 2)
        assert taken(client, limit=1) == new(1)
        wait_until(lambda: seen == [1, 2])

    assert (undone(path), undone(path, "callbacks-1")) == (1, 0)


def test_run_keeps_nothing_for_loops(server: FakeEvolutionServer, path: str) -> None:
    """The inbox is closed: what nobody will read does not pile up on the disk."""
    seen: list[int] = []
    client = make_client(server.url, durable=path)
    client.on("messages.upsert", callback=lambda event: seen.append(event.data["seq"]))
    running = in_thread(client.run)
    server.wait_for_client("sales")
    emit(server, 1, 2, 3)
    wait_until(lambda: seen == [1, 2, 3])
    client.close()
    running.result()

    assert (undone(path), undone(path, "callbacks-1")) == (0, 0)


def test_subscriptions_are_in_memory(server: FakeEvolutionServer, path: str) -> None:
    """A further stream has the events as ever, and nothing of it is on the disk."""
    with client_of(server, path, queue_size=0) as client, client.subscribe() as stream:
        emit(server, 1)
        event = stream.get(5)
        stream.close()

    assert event.data["seq"] == 1
    assert sorted(inspect(path).streams) == ["callbacks-1"]


def test_a_subscription_is_not_done_for_the_inbox(server: FakeEvolutionServer, path: str) -> None:
    """Both have the event; what one of them does with it says nothing of the other."""
    with client_of(server, path) as client, client.subscribe() as stream:
        emit(server, 1, 2)
        events = [stream.get(5), stream.get(5)]
        for event in events:
            event.ack()
        stream.close()
        received(client, 2)

    assert left_over(path) == [1, 2]


@pytest.mark.parametrize(("before", "after"), [(3, 1), (1, 4), (2, 3)], ids=str)
def test_another_number_of_callback_threads(
    server: FakeEvolutionServer, path: str, before: int, after: int
) -> None:
    """What was not done is spread anew, and the events of a chat stay in order."""
    gate = threading.Event()
    chats = [f"55119000000{number:02d}@s.whatsapp.net" for number in range(8)]
    first = make_client(server.url, durable=path, queue_size=0, callback_workers=before)
    first.on("messages.upsert", callback=lambda event: gate.wait(10) and None)
    with first:
        for number in range(80):
            key = {"remoteJid": chats[number % 8], "id": f"A{number}"}
            server.emit("messages.upsert", {"seq": number, "key": key})
        received(first, 80)
        first.close(0.1)
        gate.set()
        wait_until(lambda: not own_threads())
    seen: list[Any] = []
    second = make_client(server.url, durable=path, queue_size=0, callback_workers=after)
    second.on("messages.upsert", callback=lambda event: seen.append(event))
    with second:
        wait_until(lambda: len(seen) >= 80 - before)

    names = [f"callbacks-{number + 1}" for number in range(after)]
    assert sorted(inspect(path).streams) == names
    for chat in chats:
        found = [e.data["seq"] for e in seen if e.data["key"]["remoteJid"] == chat]
        assert found == sorted(found)


def test_damage_that_another_number_of_threads_brings_up(path: str) -> None:
    """Events that have to be spread anew are read, and must be events."""
    store = Store(path)
    store.add_stream("callbacks-2")
    with store.transaction():
        store.add("callbacks-2", [(1, 1, b"rubbish")])
    store.close()

    with pytest.raises(InboxError, match="is damaged"):
        make_client("http://127.0.0.1:9", durable=path).connect()
    assert undone(path, "callbacks-2") == 1
