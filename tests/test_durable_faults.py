"""The durable inbox when things go wrong: kills, full disks, damage."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from evolution_ws import Client, ConnectionState, InboxError
from evolution_ws._durable_writer import Writer
from evolution_ws._packing import unpack
from evolution_ws._store import Store
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import make_client, python, seqs
from tests.durable_tools import (
    client_of,
    emit,
    expect,
    left_over,
    new,
    received,
    taken,
    undone,
)
from tests.helpers import CEILING, in_thread, wait_until


ROUNDS = 6


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the path of a file that does not exist yet."""
    return str(tmp_path / "inbox.db")


# Kills

CONSUMER = """
import sys
from evolution_ws import Client
client = Client(sys.argv[1], "sales", durable=sys.argv[2], backfill=False, queue_size=20)
with client, open(sys.argv[3], "a") as journal:
    print("ready", flush=True)
    for event in client.events():
        journal.write(f"{event.data['seq']} {event.redelivered:d}\\n")
        journal.flush()
"""


def rows_of(path: str) -> list[list[str]]:
    """Return number and mark of what a new process has to get of a file, as in the journal."""
    store = Store(path)
    store.add_stream("inbox")
    found = [[str(unpack(packed).data["seq"]), "1"] for _, _, packed in store.rows("inbox", 0, -1)]
    store.close()
    return found


def test_a_killed_process_loses_nothing_that_it_stored(
    server: FakeEvolutionServer, path: str, tmp_path: Path
) -> None:
    """At whatever moment: the next one gets what was not done, in order, and that alone twice."""
    chance = random.Random(20261124)
    journal = tmp_path / "journal"
    journal.touch()
    emitted = 0
    processed: set[str] = set()
    unheard: set[str] = set()
    left: list[list[str]] = []
    kills = 0
    # How far a process gets before it is killed depends on the machine.
    while kills < ROUNDS or len(processed) <= 100:
        kills += 1
        begin = len(journal.read_text().splitlines())
        process = python(CONSUMER, server.url, path, str(journal))
        expect(process, "ready")
        server.wait_for_client("sales")
        for _ in range(chance.randrange(50, 400)):
            emit(server, emitted, store=False)
            emitted += 1
        most = begin + chance.randrange(1, 40)
        wait_until(lambda most=most: journal.read_text().count("\n") > most)  # type: ignore[misc]
        process.kill()
        process.communicate()
        wait_until(lambda: not server.clients)

        lines = [line.split() for line in journal.read_text().splitlines()[begin:]]
        again = lines[: len(left)]
        fresh = lines[len(left) :]
        assert again == left[: len(again)]
        assert [mark for _, mark in fresh] == ["0"] * len(fresh)
        assert not processed & {number for number, _ in fresh}
        assert [int(number) for number, _ in fresh] == sorted(int(number) for number, _ in fresh)
        processed |= {number for number, _ in lines}
        left = rows_of(path)
        # What the process had not stored when it was killed was an event for nobody. All else,
        # up to the newest one that is known, is either processed or still there.
        known = processed | {number for number, _ in left}
        newest = max(map(int, known))
        assert known | unheard == {str(number) for number in range(newest + 1)} | unheard
        unheard |= {str(number) for number in range(newest + 1, emitted)}


def test_what_was_acknowledged_does_not_come_again(server: FakeEvolutionServer, path: str) -> None:
    """A note that had the time to reach the disk survives a kill."""
    source = """
import sys, time
from evolution_ws import Client
from evolution_ws.inbox import inspect
client = Client(sys.argv[1], "sales", durable=sys.argv[2], backfill=False).connect()
print("ready", flush=True)
for event in client.events(limit=10):
    pass
while inspect(sys.argv[2]).streams["inbox"].events > 10:
    time.sleep(0.01)
print("done", flush=True)
time.sleep(60)
"""
    process = python(source, server.url, path)
    expect(process, "ready")
    emit(server, *range(20))
    expect(process, "done")
    process.kill()
    process.communicate()

    assert left_over(path) == list(range(10, 20))


def test_the_end_of_a_process_stores_what_is_done(server: FakeEvolutionServer, path: str) -> None:
    """A program that ends without close() leaves a file at rest."""
    source = """
import sys
from evolution_ws import Client
client = Client(sys.argv[1], "sales", durable=sys.argv[2], backfill=False).connect()
print("ready", flush=True)
for event in client.events(limit=3):
    pass
"""
    process = python(source, server.url, path)
    expect(process, "ready")
    emit(server, *range(4))
    _, errors = process.communicate(timeout=CEILING)

    assert (errors, process.returncode) == ("", 0)
    assert sorted(os.listdir(os.path.dirname(path))) == ["inbox.db", "inbox.db.lock"]
    assert set(left_over(path)) <= {3}


def test_a_second_process_is_refused(server: FakeEvolutionServer, path: str) -> None:
    """It is told which process has the file."""
    with client_of(server, path):
        process = python(CONSUMER, server.url, path, "/dev/null")
        _, errors = process.communicate(timeout=CEILING)

    assert process.returncode == 1
    assert f"InboxError: the durable inbox {path} is in use by process {os.getpid()}" in errors


# The disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a directory on a disk of a megabyte, where the system lets us have one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def assert_fails(client: Client, said: str) -> list[int]:
    """Demand that the consumer gets what is stored, then the error; return the numbers."""
    found = []
    with pytest.raises(InboxError, match=said):  # noqa: PT012 - the loop is what raises
        for event in client.events(timeout=CEILING):
            found.append(event)
            event.ack()
    assert client.state is ConnectionState.FAILED
    return seqs(found)


def test_a_full_disk(server: FakeEvolutionServer, small_disk: Path) -> None:
    """It is an error for the consumer, after what was stored; with room again all goes on."""
    path = str(small_disk / "inbox.db")
    client = make_client(server.url, durable=path)
    events = client.events(timeout=CEILING)
    client.connect()
    emit(server, 0)
    first = next(events)
    emit(server, *range(1, 200), size=20_000, store=False)
    found = [first]
    with pytest.raises(InboxError, match="the disk is full"):
        found.extend(events)
    assert client.state is ConnectionState.FAILED
    assert seqs(found) == list(range(len(found)))
    assert len(found) < 60

    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    client.connect()
    emit(server, 500)
    assert taken(client)[-1] == (500, False)
    client.close()
    assert undone(path) == 0


def test_a_file_that_must_not_grow(server: FakeEvolutionServer, path: str) -> None:
    """A limit of the system for file sizes ends the client the same way."""
    source = """
import resource, sys
from evolution_ws import Client, InboxError
client = Client(sys.argv[1], "sales", durable=sys.argv[2], backfill=False).connect()
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
print("ready", flush=True)
numbers = []
try:
    for event in client.events():
        numbers.append(event.data["seq"])
except InboxError as exc:
    print(numbers == list(range(len(numbers))), client.state.value, exc, flush=True)
"""
    process = python(source, server.url, path)
    expect(process, "ready")
    emit(server, *range(100), size=20_000, store=False)
    said, errors = process.communicate(timeout=CEILING)

    assert errors.count("not trying again") <= 1
    assert said.startswith("True failed the durable inbox ")
    assert "disk" in said


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_a_file_that_is_taken_away(server: FakeEvolutionServer, path: str, change: str) -> None:
    """Nothing is written where nobody would find it; a new start makes a new file."""
    client = client_of(server, path)
    emit(server, 0)
    received(client, 1)
    os.remove(path)
    if change == "replaced":
        Path(path).write_bytes(b"")
    emit(server, 1)

    assert assert_fails(client, "was removed or replaced while it was in use") == [0]
    for end in ("", "-wal", "-shm"):
        Path(path + end).unlink(missing_ok=True)
    client.connect()
    emit(server, 2)
    assert taken(client) == new(2)
    client.close()


def test_damage_while_running(server: FakeEvolutionServer, path: str) -> None:
    """What cannot be read any more ends the client; it is not skipped in silence."""
    client = client_of(server, path, queue_size=5)
    emit(server, *range(200), size=3_000, store=False)
    received(client, 200)
    inbox = client._core.durable
    assert inbox is not None
    assert inbox._writer is not None
    with inbox._busy:  # in the middle of a transaction there would be no checkpoint
        inbox._writer._store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        inbox._writer._store._db.execute("PRAGMA cache_size = 1")
    with open(path, "r+b") as file:
        for page in range(20, os.path.getsize(path) // 4096):
            file.seek(page * 4096)
            file.write(b"\xa5" * 4096)

    found = assert_fails(client, "is damaged. Move it away")
    assert found == list(range(len(found)))
    assert 5 <= len(found) < 150
    client.close()


def test_damage_of_one_event(server: FakeEvolutionServer, path: str) -> None:
    """An event that cannot be understood is an error, at its place."""
    client = client_of(server, path)
    emit(server, *range(5))
    received(client, 5)
    client.close()
    store = Store(path)
    with store.transaction():
        store._db.execute("""UPDATE "stream inbox" SET event = x'00' WHERE id = 3""")
    store.close()
    second = client_of(server, path)

    assert assert_fails(second, "is damaged") == [0, 1]
    second.close()


def test_callbacks_after_a_failure_of_the_disk(server: FakeEvolutionServer, path: str) -> None:
    """run() raises the reason."""
    seen: list[int] = []
    client = make_client(server.url, durable=path)
    client.on("messages.upsert", callback=lambda event: seen.append(event.data["seq"]))
    running = in_thread(client.run)
    server.wait_for_client("sales")
    emit(server, 0)
    wait_until(lambda: seen == [0])
    os.remove(path)
    emit(server, 1)

    with pytest.raises(InboxError, match="was removed"):
        running.result()
    assert seen == [0]


def test_a_bug_in_the_writer_is_no_silence(
    server: FakeEvolutionServer, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the writer ends the client, with an error for the consumers."""
    client = client_of(server, path)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Writer, "_write", fail)
    emit(server, 0)

    assert (
        assert_fails(client, "the durable inbox failed: ZeroDivisionError; the log says more") == []
    )


def test_a_bug_while_opening(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told to whoever connects, and leaves nothing open."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Store, "begin_run", fail)
    client = make_client("http://127.0.0.1:9", durable=path)
    for _ in range(2):
        with pytest.raises(InboxError, match="failed: ZeroDivisionError"):
            client.connect()
    monkeypatch.undo()

    assert left_over(path) == []
