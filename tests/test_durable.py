"""The durable inbox of a client: what is done, what comes again, and how it begins and ends."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from evolution_ws import (
    AuthenticationError,
    Client,
    ClientClosed,
    ConnectError,
    ConnectionState,
    InboxError,
)
from evolution_ws._store_state import inspect
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import assert_closes, free_port, make_client, own_threads
from tests.durable_tools import again, descriptors, emit, left_over, new, received, taken, undone
from tests.helpers import Gate, in_thread, wait_until


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the path of a file that does not exist yet."""
    return str(tmp_path / "inbox.db")


def client_of(server: FakeEvolutionServer, path: str, **options: Any) -> Client:
    """Return a connected client with a durable inbox."""
    return make_client(server.url, durable=path, **options).connect()


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


# Beginning and end


def test_making_a_client_opens_nothing(path: str) -> None:
    """A module may make clients: files are opened by the first connection."""
    client = make_client("http://127.0.0.1:9", durable=path)

    assert not os.path.exists(path)
    assert client.close()
    assert not os.path.exists(path)


def test_nothing_is_left_after_close(server: FakeEvolutionServer, path: str) -> None:
    """No thread, no open file, no log beside the file."""
    client = client_of(server, path)
    emit(server, *range(50))
    received(client, 50)
    assert any(name.endswith("-store") for name in own_threads())

    assert_closes(client)
    assert own_threads() == []
    assert descriptors(path) == []
    assert sorted(os.listdir(os.path.dirname(path))) == ["inbox.db", "inbox.db.lock"]


def test_after_close_the_rest_stays_on_the_disk(server: FakeEvolutionServer, path: str) -> None:
    """Nothing is handed out that could not be noted as done any more."""
    client = client_of(server, path)
    emit(server, 1, 2)
    received(client, 2)
    client.close()

    assert taken(client) == []
    with pytest.raises(ClientClosed):
        client.get(0)
    assert left_over(path) == [1, 2]


def test_close_wakes_a_loop(server: FakeEvolutionServer, path: str) -> None:
    """A loop that waits ends quietly."""
    client = client_of(server, path)
    looping = in_thread(lambda: taken(client, timeout=None))
    emit(server, 1)
    wait_until(lambda: client.stats.delivered == 1)

    assert_closes(client)
    assert looping.result() == new(1)
    assert left_over(path) == []


def test_close_in_a_callback(server: FakeEvolutionServer, path: str) -> None:
    """The event at hand is done when the callback has returned, the others are not."""
    client = make_client(server.url, durable=path, queue_size=0)
    closed = threading.Event()

    @client.on("messages.upsert")
    def close(event: Any) -> None:
        received(client, 3)
        client.close(5)
        closed.set()

    client.connect()
    emit(server, 1, 2, 3)
    assert closed.wait(10)
    wait_until(lambda: not own_threads())

    wait_until(lambda: undone(path, "callbacks-1") == 2)


def test_a_late_note_does_not_harm_a_later_run(server: FakeEvolutionServer, path: str) -> None:
    """Numbers are used again: who is late must not take away somebody else's event."""
    client = client_of(server, path)
    emit(server, 1)
    event = client.get(5)
    client.close()
    with client_of(server, path) as second:
        assert taken(second) == again(1)
        event.ack()
    with client_of(server, path) as third:
        emit(server, 2)
        received(third, 1)
    event.ack()

    assert left_over(path) == [2]


def test_a_late_note_about_a_file_that_is_gone(server: FakeEvolutionServer, path: str) -> None:
    """No file is made for it."""
    client = client_of(server, path)
    emit(server, 1)
    event = client.get(5)
    client.close()
    os.remove(path)
    event.ack()
    Path(path).write_text("something else, and long enough to be told from an empty file" * 20)
    event.ack()

    assert "something" in Path(path).read_text()


def test_callbacks_are_drained_from_the_disk_on_close(
    server: FakeEvolutionServer, path: str
) -> None:
    """Within its timeout close() lets callbacks run for all that arrived, in memory or not."""
    gate = Gate()
    seen: list[int] = []
    client = make_client(server.url, durable=path)
    client.on("messages.upsert", callback=lambda event: seen.append(event.data["seq"]))
    client.on("call", callback=gate)
    client.connect()
    client._core.dispatcher._shards[0].queue._maxsize = 5
    server.emit("call", {})
    gate.wait_entered()
    emit(server, *range(40))
    received(client, 41)
    closing = in_thread(client.close, 10)
    wait_until(lambda: client.state is ConnectionState.CLOSED)
    gate.release()

    assert closing.result()
    assert seen == list(range(40))
    assert undone(path, "callbacks-1") == 0


def test_a_callback_that_blocks_is_left_behind(server: FakeEvolutionServer, path: str) -> None:
    """close() keeps to its time; what did not run is kept, the event at hand included."""
    gate = Gate()
    client = make_client(server.url, durable=path, queue_size=0)
    client.on("messages.upsert", callback=gate)
    client.connect()
    emit(server, 1, 2)
    gate.wait_entered()
    received(client, 2)

    assert client.close(0.5) is False
    kept = undone(path, "callbacks-1")
    gate.release()
    wait_until(lambda: not own_threads())

    assert kept == 2
    assert undone(path, "callbacks-1") == 1


def test_an_abandoned_client_lets_go_of_its_file(server: FakeEvolutionServer, path: str) -> None:
    """A client that nobody holds closes itself, and another one can have the file."""
    client = make_client(server.url, durable=path)
    client.on("messages.upsert", callback=print)
    client.connect()
    del client
    gc.collect()

    wait_until(lambda: not own_threads())
    with client_of(server, path) as second:
        assert second.is_connected


def test_a_client_that_could_not_connect_lets_go_of_its_file(
    server: FakeEvolutionServer, path: str
) -> None:
    """A program may make a client for each attempt."""
    client = make_client(f"http://127.0.0.1:{free_port()}", durable=path)
    with pytest.raises(ConnectError, match="nobody listens"):
        client.connect()

    second = make_client(server.url, durable=path)
    assert second.connect().close()
    wait_until(lambda: not own_threads())


def test_a_second_client_is_refused(server: FakeEvolutionServer, path: str) -> None:
    """It is told why, and can have the file when the first one is closed."""
    os.symlink(path, path + "-link")
    second = make_client(server.url, durable=path + "-link")
    with client_of(server, path):
        for attempt in (second.connect, lambda: next(second.events())):
            with pytest.raises(InboxError, match="in use by another client of this process"):
                attempt()
            assert second.state is ConnectionState.NEW
            assert not second.is_connected

    assert make_client(server.url, durable=path + "-link").connect().close()


def test_a_file_that_cannot_be_opened(server: FakeEvolutionServer, tmp_path: Path) -> None:
    """connect() says what is wrong; once that is put right, the same client connects."""
    client = make_client(server.url, durable=tmp_path / "missing" / "inbox.db")
    with pytest.raises(InboxError, match=r"No such file or directory\): create the directory"):
        client.connect()
    (tmp_path / "missing").mkdir()

    with client:
        emit(server, 1)
        assert taken(client) == new(1)


def test_a_directory_that_must_not_be_written(
    server: FakeEvolutionServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's refusal is passed on with what to do about it."""
    (tmp_path / "inbox.db").mkdir()

    with pytest.raises(InboxError, match=r"Is a directory\): correct that, or name another file"):
        client_of(server, str(tmp_path / "inbox.db"))


def test_a_process_that_can_start_no_thread(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of the interpreter nothing can be opened any more."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    client = make_client("http://127.0.0.1:9", durable=path)

    with pytest.raises(InboxError, match="this process can start no thread"):
        client.connect()


def test_many_threads_open_together(server: FakeEvolutionServer, path: str) -> None:
    """One of them opens, all of them connect."""
    client = make_client(server.url, durable=path)
    connecting = [in_thread(client.connect) for _ in range(8)]

    assert [task.result() for task in connecting] == [client] * 8
    assert client.close()


def test_a_connection_that_failed_for_good(path: str) -> None:
    """What waits can be read, then comes the reason; a new start goes on with the same file."""
    with FakeEvolutionServer(instances=("sales",), api_key="right") as server:
        client = make_client(server.url, durable=path, api_key="right", queue_size=4)
        client.connect()
        emit(server, *range(20))
        received(client, 20)
        server.api_key = "other"
        server.drop()
        wait_until(lambda: client.state is ConnectionState.FAILED)

        events = client.events()
        assert [next(events).data["seq"] for _ in range(20)] == list(range(20))
        with pytest.raises(AuthenticationError):
            next(events)
        wait_until(lambda: not own_threads())
        assert undone(path) == 0

        server.api_key = "right"
        emit(server, 20)
        client.connect()
        emit(server, 21)
        assert taken(client, limit=1) == new(21)
        client.close()


def test_stats_count_memory_and_disk(server: FakeEvolutionServer, path: str) -> None:
    """What waits is counted wherever it is; what was taken is delivered."""
    with client_of(server, path, queue_size=5) as client:
        emit(server, *range(30), size=500)
        received(client, 30)
        assert taken(client, limit=3) == new(0, 1, 2)
        stats = client.stats

        assert (stats.queue_events, stats.delivered, stats.dropped) == (27, 3, 0)
        assert stats.queue_bytes > 27 * 500
