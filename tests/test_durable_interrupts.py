"""The durable inbox in forks, under interrupts, and closed while it is opened."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from evolution_ws import ConnectionState, InboxError
from evolution_ws._store import Store
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import make_client, own_threads, python
from tests.durable_tools import (
    again,
    client_of,
    emit,
    expect,
    left_over,
    new,
    received,
    taken,
    undone,
)
from tests.helpers import CEILING, Gate, in_thread, wait_until


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the path of a file that does not exist yet."""
    return str(tmp_path / "inbox.db")


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
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
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
