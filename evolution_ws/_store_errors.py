"""From what SQLite and the system complain of to the error that tells the user what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from .exceptions import InboxError


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn what SQLite and the system complain of into an :exc:`.InboxError` about *path*."""
    try:
        yield
    except (sqlite3.Error, OSError) as exc:
        raise InboxError(f"the durable inbox {path} {_problem(exc)}") from exc


_PROBLEMS = {
    "is not a database": "is no inbox but another kind of file; name another one with durable=",
    "encrypted": "is no inbox but another kind of file; name another one with durable=",
    "malformed": (
        "is damaged. Move it away, together with the files beside it that begin with its name, and "
        "connect again: the events in it that were not done are lost, since= fetches messages"
    ),
    "is full": (
        "cannot grow: the disk is full. What was not stored was not delivered; make room and "
        "connect again, and the server's history fills the gap"
    ),
    "readonly": "cannot be written to; correct the permissions of the file and its directory",
    "unable to open": "cannot be opened; correct the permissions of the file and its directory",
    "locked": "is locked by another program, such as a database browser; close that",
}


def damaged(path: str) -> InboxError:
    """Return the error for a file with something in it that nobody can have written."""
    return InboxError(f"the durable inbox {path} {_PROBLEMS['malformed']}")


def _problem(exc: Exception) -> str:
    if isinstance(exc, OSError):
        advice = "create the directory" if isinstance(exc, FileNotFoundError) else "correct that"
        return f"cannot be used ({exc.strerror}): {advice}, or name another file with durable="
    said = str(exc)
    for words, problem in _PROBLEMS.items():
        if words in said:
            return problem
    return f"failed ({said}); look at the disk and its file system, then connect again"
