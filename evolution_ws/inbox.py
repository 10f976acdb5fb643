"""A look at a durable inbox from outside, while it is in use as well."""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime, timezone
from pathlib import Path

import attrs

from ._packing import unpack
from ._store import APPLICATION, SCHEMA, coverage_of, total_of
from ._store_errors import explained
from ._store_lock import user_of
from .exceptions import InboxError


__all__ = ["StoreState", "StreamState", "inspect"]


@attrs.frozen(kw_only=True)
class StreamState:
    """What waits in the file for one kind of consumer."""

    events: int
    """Events that are not done, those in the hands of a consumer included."""
    size: int
    """Bytes that they take."""
    oldest: datetime | None
    """When the oldest of them came off the wire, in UTC; None when there are none."""


@attrs.frozen(kw_only=True)
class StoreState:
    """The state of a durable inbox at a moment."""

    path: str
    """The file, symbolic links resolved."""
    schema: int
    """Version of its tables."""
    file_size: int
    """Bytes of the file and of the log beside it."""
    streams: dict[str, StreamState]
    """``"inbox"`` is for loops and get(), ``"callbacks-1"`` for the first callback thread."""
    origin: datetime | None
    """The time before which nothing was wanted, in UTC; None before the first connection."""
    covered: dict[str, datetime]
    """Up to when everything was received, in UTC, by instance; ``"*"`` stands for all of them."""
    used_by: int | None
    """Id of the process that uses it, 0 when that is unknown; None when none does."""


def inspect(path: str | os.PathLike[str]) -> StoreState:
    """
    Return the state of the durable inbox *path*, which is not changed.

    Raises:
        InboxError: There is no such file, or it is no durable inbox.

    Threads:
        Any thread of any process, while a client uses the file or not.
    """
    file = os.path.realpath(path)
    with explained(file):
        os.stat(file)  # SQLite would tell less
        user = user_of(file)
        has_log = os.path.exists(file + "-wal")
        # A file at rest is read as it is: to open it otherwise would leave files beside it.
        mode = "mode=ro" if user is not None or has_log else "immutable=1"
        db = sqlite3.connect(f"{Path(file).as_uri()}?{mode}", uri=True, isolation_level=None)
        try:
            return _state(db, file, user)
        finally:
            db.close()


def _state(db: sqlite3.Connection, path: str, user: int | None) -> StoreState:
    db.execute("BEGIN")  # one moment for all that follows
    [(application,)] = db.execute("PRAGMA application_id")
    [(schema,)] = db.execute("PRAGMA user_version")
    if application != APPLICATION:
        raise InboxError(f"{path} is no durable inbox")
    if schema > SCHEMA:
        raise InboxError(f"{path} was written by a newer evolution-ws; upgrade to look into it")
    names = [name for (name,) in db.execute("SELECT name FROM streams ORDER BY name")]
    origin, until = coverage_of(db) or (None, {})
    sizes = [os.path.getsize(path + end) for end in ("", "-wal") if os.path.exists(path + end)]
    return StoreState(
        path=path,
        schema=schema,
        file_size=sum(sizes),
        streams={name: _stream(db, name) for name in names},
        origin=_utc(origin) if origin is not None else None,
        covered={name: _utc(when) for name, when in until.items()},
        used_by=user,
    )


def _stream(db: sqlite3.Connection, name: str) -> StreamState:
    total = total_of(db, name)
    first = db.execute(f'SELECT event FROM "stream {name}" ORDER BY id LIMIT 1').fetchone()
    oldest = None
    if first is not None:
        try:
            oldest = unpack(first[0]).received_at
        except ValueError:  # damaged, which whoever wants the events is told
            pass
    return StreamState(events=total.events, size=total.size, oldest=oldest)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
