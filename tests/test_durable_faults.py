"""The durable inbox when things go wrong: kills, full disks, damage, forks and interrupts."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evolution_ws import Client, ConnectionState, InboxError
from evolution_ws._durable_writer import Writer
from evolution_ws._store import Store
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import make_client, own_threads, python, seqs
from tests.durable_tools import again, emit, left_over, new, received, taken, undone
from tests.helpers import CEILING, Gate, in_thread, wait_until


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the path of a file that does not exist yet."""
    return str(tmp_path / "inbox.db")


def client_of(server: FakeEvolutionServer, path: str, **options: Any) -> Client:
    """Return a connected client with a durable inbox."""
    return make_client(server.url, durable=path, **options).connect()


def expect(process: subprocess.Popen[str], line: str) -> None:
    """Demand that *line* is the next one the process prints."""
    assert process.stdout is not None
    said = process.stdout.readline()
    if said != line + "\n":
        process.kill()
        raise AssertionError(process.communicate()[1] or said)


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

ROUNDS = 6


def test_a_killed_process_loses_nothing_that_it_received(
    server: FakeEvolutionServer, path: str, tmp_path: Path
) -> None:
    """At whatever moment: all that was stored is processed, in order; few come twice, marked."""
    chance = random.Random(20261124)
    journal = tmp_path / "journal"
    journal.touch()
    emitted, stored = 0, 0
    for _ in range(ROUNDS):
        process = python(CONSUMER, server.url, path, str(journal))
        expect(process, "ready")
        server.wait_for_client("sales")
        for _ in range(chance.randrange(50, 400)):
            emit(server, emitted, store=False)
            emitted += 1
        wait_until(lambda: len(journal.read_text().splitlines()) > chance.randrange(1, 40))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        wait_until(lambda: not server.clients)
        store = Store(path)
        total = store.add_stream("inbox")
        store.close()
        stored = max(stored, total.last)
    process = python(CONSUMER, server.url, path, str(journal))
    expect(process, "ready")
    wait_until(lambda: undone(path) <= 1)
    process.send_signal(signal.SIGINT)
    process.communicate()

    lines = [line.split() for line in journal.read_text().splitlines() if line.count(" ") == 1]
    first: dict[int, int] = {}
    repeats = 0
    for position, (number, mark) in enumerate(lines):
        if int(number) in first:
            repeats += 1
            assert mark == "1"
        first.setdefault(int(number), position)
    assert list(first) == sorted(first)
    # What had not been committed when the process was killed never was an event for anybody.
    assert len(first) >= stored > 0
    # Notes of what is done are gathered for some milliseconds.
    assert repeats < ROUNDS * 400


def test_what_was_acknowledged_does_not_come_again(server: FakeEvolutionServer, path: str) -> None:
    """A note that had the time to reach the disk survives a kill."""
    source = """
import sys, time
from evolution_ws import Client
from evolution_ws._store_state import inspect
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
    writer = client._core.durable._writer  # type: ignore[union-attr]
    assert writer is not None
    writer._store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    writer._store._db.execute("PRAGMA cache_size = 1")
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


# Forks


def in_child(function: Any) -> int:
    """Run *function* in a fork of this process; return its exit code."""
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        code = 70
        try:
            code = int(function() or 0)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_leaves_the_file_to_the_parent(server: FakeEvolutionServer, path: str) -> None:
    """The child is refused as long as the parent has it; the parent notices nothing."""
    client = client_of(server, path)
    emit(server, 1, 2)
    received(client, 2)
    event = client.get(5)

    def child() -> int:
        event.ack()  # of no effect here: the event is the parent's
        try:
            client.connect()
        except InboxError as exc:
            return 0 if f"in use by process {os.getppid()}" in str(exc) else 1
        return 2

    assert in_child(child) == 0
    assert undone(path) == 2
    emit(server, 3)
    assert taken(client) == new(2, 3)
    client.close()
    assert left_over(path) == [1]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_can_have_the_file_after_the_parent(server: FakeEvolutionServer, path: str) -> None:
    """Once the parent has closed it, the client works in the child."""
    client = client_of(server, path)
    emit(server, 1, 2)
    received(client, 2)
    client.close()
    fresh = make_client(server.url, durable=path)

    def child() -> int:
        with fresh:
            return 0 if taken(fresh, limit=2) == again(1, 2) else 1

    assert in_child(child) == 0
    assert undone(path) == 0


def test_forks_in_the_middle_of_writing(server: FakeEvolutionServer, path: str) -> None:
    """A child can use SQLite, whatever the writer was about to do."""
    # In a process without the tracer of coverage, which has a lock of its own.
    source = """
import os, signal, sys, warnings
from evolution_ws import Client
from evolution_ws._store import Store
warnings.simplefilter("ignore", DeprecationWarning)
client = Client(sys.argv[1], "sales", durable=sys.argv[2], backfill=False).connect()
print("ready", flush=True)
client.get()
for number in range(25):
    child = os.fork()
    if not child:
        signal.alarm(10)
        store = Store(f"{sys.argv[2]}-{number}")
        store.add_stream("inbox")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        break
print(number, status, flush=True)
client.close()
"""
    process = python(source, server.url, path)
    expect(process, "ready")
    while process.poll() is None and server.clients:
        emit(server, 0, store=False)
    said, errors = process.communicate()

    assert (said, errors) == ("24 0\n", "")


def test_a_fork_does_not_wait_for_ever(
    server: FakeEvolutionServer, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that hangs does not keep the process from forking."""
    monkeypatch.setattr("evolution_ws._durable._FORK_PATIENCE", 0.05)
    from evolution_ws import _durable

    client = client_of(server, path)
    busy = client._core.durable._busy  # type: ignore[union-attr]
    wait_until(lambda: busy.acquire(blocking=False))
    _durable._before_fork()
    _durable._after_fork_in_parent()
    busy.release()

    assert client.close()


# Interrupts


def test_a_storm_of_interrupts(server: FakeEvolutionServer, path: str) -> None:
    """A loop that is interrupted again and again gets each event at least once, in order."""
    source = """
import signal, sys
from evolution_ws import Client

class Interrupt(Exception):
    pass

armed, interrupts = False, 0

def interrupt(*_):
    global armed, interrupts
    if armed:
        armed = False
        interrupts += 1
        raise Interrupt

client = Client(
    sys.argv[1], "sales", durable=sys.argv[2], backfill=False, queue_size=50
).connect()
print("ready", flush=True)
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
numbers = []
while not numbers or numbers[-1] < 1999:
    try:
        armed = True
        for event in client.events():
            armed = False
            numbers.append(event.data["seq"])
            if numbers[-1] == 1999:
                event.ack()
                break
            armed = True
    except Interrupt:
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
print("order", numbers == list(range(2000)), flush=True)
print("stormy", interrupts > 50, flush=True)
print("closed", client.close(10), flush=True)
"""
    process = python(source, server.url, path)
    expect(process, "ready")
    emit(server, *range(2_000), store=False)
    expect(process, "order True")
    expect(process, "stormy True")
    expect(process, "closed True")
    _, errors = process.communicate(timeout=CEILING)

    assert errors == ""
    # Where the note that an event is done was hit, the event stays: rarely, and never lost.
    assert undone(path) < 1_000


def test_an_interrupt_while_the_file_is_opened(
    server: FakeEvolutionServer, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """connect() can be interrupted, and called again."""
    gate = Gate()
    begin_run = Store.begin_run

    def slow(self: Store) -> int:
        gate()
        return begin_run(self)

    monkeypatch.setattr(Store, "begin_run", slow)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    client = make_client(server.url, durable=path)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            client.connect()
    finally:
        signal.signal(signal.SIGALRM, before)
    connecting = in_thread(client.connect)
    gate.release()

    assert connecting.result() is client
    client.close()


def test_closing_while_the_file_is_opened(
    server: FakeEvolutionServer, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing stays open behind a close() that came first."""
    gate = Gate()
    begin_run = Store.begin_run

    def slow(self: Store) -> int:
        gate()
        return begin_run(self)

    monkeypatch.setattr(Store, "begin_run", slow)
    client = make_client(server.url, durable=path)
    connecting = in_thread(client.connect)
    gate.wait_entered()
    closing = in_thread(client.close, 10)
    wait_until(lambda: client.state is ConnectionState.CLOSED)
    gate.release()

    assert closing.result()
    with pytest.raises(Exception, match="clos"):
        connecting.result()
    wait_until(lambda: not own_threads())
