"""One user for each file, over threads and processes."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from evolution_ws import InboxError
from evolution_ws._store_lock import StoreLock, after_fork, user_of
from tests.core_tools import python
from tests.helpers import in_thread


HOLDER = """
import sys, time
from evolution_ws._store_lock import StoreLock
lock = StoreLock(sys.argv[1])
print("held", flush=True)
sys.stdin.readline() if len(sys.argv) > 2 else time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the path of a file; the lock is beside it."""
    return str(tmp_path / "inbox.db")


@pytest.fixture
def holder(path: str) -> Iterator[int]:
    """Return the id of another process that holds the lock."""
    process = python(HOLDER, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process.pid
    process.kill()
    process.communicate()


def test_a_lock_is_had_once_in_a_process(path: str) -> None:
    """A second client of the process is refused until the first lets go."""
    lock = StoreLock(path)
    with pytest.raises(InboxError, match="in use by another client of this process"):
        StoreLock(path, 0)
    lock.release()
    lock.release()

    StoreLock(path, 0).release()


def test_a_lock_is_had_once_on_a_machine(path: str, holder: int) -> None:
    """A second process is refused, and told the first one's id."""
    with pytest.raises(InboxError, match=f"in use by process {holder}. Each client needs a file"):
        StoreLock(path, 0)


def test_a_killed_process_holds_nothing(path: str, holder: int) -> None:
    """The lock ends with its process."""
    os.kill(holder, signal.SIGKILL)

    StoreLock(path, 10).release()


def test_a_lock_waits_a_moment(path: str) -> None:
    """A client that is just being closed gets the time to let go."""
    first = StoreLock(path)
    waiting = in_thread(lambda: StoreLock(path, 10))
    assert not waiting.is_done
    first.release()

    waiting.result().release()


def test_the_user_of_a_file(path: str) -> None:
    """Asking tells who uses it, and takes the lock from nobody."""
    assert user_of(path) is None
    lock = StoreLock(path)
    assert user_of(path) == os.getpid()
    with pytest.raises(InboxError):
        StoreLock(path, 0)
    lock.release()

    assert user_of(path) is None


def test_the_user_is_another_process(path: str, holder: int) -> None:
    """Its id is read from the lock."""
    assert user_of(path) == holder
    assert user_of(path) == holder


def test_the_user_is_unknown(path: str, holder: int) -> None:
    """A lock without an id in it is still a lock."""
    Path(path + ".lock").write_text("")

    assert user_of(path) == 0
    with pytest.raises(InboxError, match="in use by another process"):
        StoreLock(path, 0)


def test_a_lock_belongs_to_its_owner(path: str) -> None:
    """Nobody else reads the file of the lock."""
    StoreLock(path).release()

    assert stat.S_IMODE(os.stat(path + ".lock").st_mode) == 0o600


def test_no_descriptor_is_left(path: str) -> None:
    """Locking, asking, failing and letting go leave nothing open."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        lock = StoreLock(path)
        user_of(path)
        with pytest.raises(InboxError):
            StoreLock(path, 0)
        lock.release()
        user_of(path)

    assert len(os.listdir("/proc/self/fd")) == before


def test_a_fork_does_not_inherit_the_lock(path: str) -> None:
    """The child is refused, and what it closes does not end the parent's lock."""
    lock = StoreLock(path)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            after_fork()
            try:
                StoreLock(path, 0)
            except InboxError as exc:
                code = 0 if f"process {os.getppid()}" in str(exc) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    process = python(HOLDER, path)
    _, errors = process.communicate()
    lock.release()

    assert os.waitstatus_to_exitcode(status) == 0
    assert "InboxError" in errors


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    """The system's error is passed on, to be explained by whoever opens the file."""
    with pytest.raises(FileNotFoundError):
        StoreLock(str(tmp_path / "missing" / "inbox.db"))
