"""
One user for each file of a durable inbox, over all threads and processes of a machine.

Between processes a lock of the operating system on ``<file>.lock`` decides: it ends with its
process, however that ends, and a fork does not inherit it. Within a process, where such
locks do not count, a table does.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from .exceptions import InboxError


# A client that was just closed, or a process that is just ending, gets a moment to let go.
_PATIENCE = 1.0
_PAUSE = 0.02

_changing = threading.Lock()
_held: dict[str, StoreLock] = {}


class StoreLock:
    """
    The right to use the file *path*.

    Raises:
        InboxError: Somebody else has it, or the directory cannot be written to.
    """

    def __init__(self, path: str, patience: float = _PATIENCE) -> None:
        self.path = path
        self._file = -1
        self._pid = os.getpid()
        deadline = time.monotonic() + patience
        while not self._try():
            if time.monotonic() > deadline:
                raise InboxError(_in_use(path, user_of(path)))
            time.sleep(_PAUSE)

    def _try(self) -> bool:
        with _changing:
            if self.path in _held:
                return False
            file = os.open(self.path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
            if not _lock(file):
                os.close(file)
                return False
            os.ftruncate(file, 0)
            os.write(file, str(self._pid).encode())
            self._file = file
            _held[self.path] = self
            return True

    def release(self) -> None:
        """Let somebody else use the file; a second call does nothing."""
        with _changing:
            if _held.get(self.path) is self:
                del _held[self.path]
            if self._file >= 0:
                # The lock goes with the descriptor. The file stays: whoever removed it would
                # take it away from under a process that is about to lock it.
                os.close(self._file)
                self._file = -1


def user_of(path: str) -> int | None:
    """Return the id of the process that uses the file *path*; 0 if unknown, None for nobody."""
    with _changing:
        if path in _held:
            # Not a look at the lock's file: closing it would end this process's own lock.
            return os.getpid()
        try:
            file = os.open(path + ".lock", os.O_RDWR)
        except OSError:
            return None
        try:
            if _lock(file):
                return None
            text = os.read(file, 20)
            return int(text) if text.isdigit() else 0
        finally:
            os.close(file)


def after_fork() -> None:
    """Let go of the parent's locks, which this process does not have."""
    global _changing
    _changing = threading.Lock()
    for lock in list(_held.values()):
        lock.release()
    _held.clear()


def _in_use(path: str, user: int | None) -> str:
    if user == os.getpid():
        who = "another client of this process"
    else:
        who = f"process {user}" if user else "another process"
    return (
        f"the durable inbox {path} is in use by {who}. Each client needs a file of its own: end "
        "the other one, or give another durable="
    )


if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _lock(file: int) -> bool:
        try:
            os.lseek(file, 1024, os.SEEK_SET)  # beyond the number, which others may read
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            os.lseek(file, 0, os.SEEK_SET)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(file: int) -> bool:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
