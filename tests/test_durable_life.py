"""How the durable inbox of a client begins and ends, and what close() leaves."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from evolution_ws import (
    AuthenticationError,
    ClientClosed,
    ConnectError,
    ConnectionState,
    InboxError,
)
from evolution_ws._durable_writer import Writer
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import assert_closes, free_port, make_client, own_threads
from tests.durable_tools import (
    again,
    client_of,
    descriptors,
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


def test_a_note_that_comes_between_the_last_look_and_the_end(
    server: FakeEvolutionServer, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not lost either."""
    client = client_of(server, path)
    emit(server, 1)
    event = client.get(5)
    monkeypatch.setattr(Writer, "_take_done", lambda self: {})
    event.ack()
    client.close()

    assert undone(path) == 0


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


def test_close_does_not_wait_for_a_disk_that_hangs(server: FakeEvolutionServer, path: str) -> None:
    """It says that it is not done, and the rest happens when the disk is back."""
    client = client_of(server, path)
    emit(server, 1)
    received(client, 1)
    busy = client._core.durable._busy  # type: ignore[union-attr]
    wait_until(lambda: busy.acquire(blocking=False))

    assert client.close(0.5) is False
    busy.release()
    wait_until(lambda: not own_threads())
    assert undone(path) == 1


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
