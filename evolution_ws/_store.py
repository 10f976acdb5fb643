"""
The file of a durable inbox: the events that are not done, and up to when none was missed.

An SQLite database in WAL mode, with a table for each stream of events. Knows nothing of
threads or queues: one thread at a time calls it, and what it changes is done when
:meth:`Store.transaction` has ended.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import attrs

from ._store_errors import explained
from .exceptions import InboxError


SCHEMA = 1
"""Version of the tables; a file with a higher one is refused."""

# In the header of the file, so that no other program's database is taken for an inbox.
APPLICATION = 0x45764258

# Rows of one INSERT: a call of SQLite for each of them takes longer.
_TOGETHER = 20
# As many messages are remembered as a client remembers in memory.
_REMEMBERED = 20_000
# Forgetting is done in one go for so many messages.
_FORGET_EVERY = 1_000
# Pages in the WAL after which they are copied to where they belong. Most events are done by
# then, so a longer WAL means fewer copies, but also a longer beginning after a crash.
_WAL_PAGES = 4_000
# The WAL is cut to this after a checkpoint; it is reused up to there.
_WAL_BYTES = 16 * 1024 * 1024
# Free pages that go back to the file system at a time, and how many are kept for what comes.
_SHRINK_PAGES = 2_000
_SPARE_PAGES = 250

_TABLES = """
CREATE TABLE IF NOT EXISTS seen (
    id INTEGER PRIMARY KEY, instance TEXT NOT NULL, message TEXT NOT NULL, replayed INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS covered (instance TEXT PRIMARY KEY, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value REAL NOT NULL);
CREATE TABLE IF NOT EXISTS streams (name TEXT PRIMARY KEY);
"""

Row = tuple[int, int, bytes]
"""The number of an event, its size in memory, and its packed form."""

Coverage = tuple[float, dict[str, float]]
"""Unix time before which nothing was wanted, and up to which nothing is missing, by instance."""

Seen = tuple[str, str, bool]
"""Instance and id of a message, and whether it came from the history."""


@attrs.frozen
class Total:
    """What a stream holds."""

    events: int
    size: int
    """Bytes of the packed events."""
    last: int
    """Number of the newest event; 0 when there is none."""


class Store:
    """
    An open file. Who opens it holds its :class:`._store_lock.StoreLock`.

    Raises:
        InboxError: It cannot be used; the message says why, and what to do. So does every
            method; afterwards the store can only be closed.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with explained(path):
            self._identity = _create(path)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise
        self._since_forgotten = _FORGET_EVERY

    def _prepare(self) -> None:
        run = self._db.execute
        run("PRAGMA busy_timeout = 2000")
        [(application,)] = run("PRAGMA application_id")
        [(schema,)] = run("PRAGMA user_version")
        [(tables,)] = run("SELECT count(*) FROM sqlite_master")
        if tables and application != APPLICATION:
            raise InboxError(
                f"{self.path} is a database of another program; name another file with durable="
            )
        if schema > SCHEMA:
            raise InboxError(
                f"the durable inbox {self.path} was written by a newer evolution-ws (schema "
                f"{schema}, this one knows {SCHEMA}); upgrade, or name another file with durable="
            )
        if not tables:
            run("PRAGMA auto_vacuum = INCREMENTAL")  # has to come before the first table
            run(f"PRAGMA application_id = {APPLICATION}")
        run("PRAGMA journal_mode = WAL").fetchall()
        # A commit waits for the disk: what was handed out must be there after a power cut, too.
        run("PRAGMA synchronous = FULL")
        run(f"PRAGMA journal_size_limit = {_WAL_BYTES}").fetchall()
        run(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}").fetchall()
        if schema < SCHEMA:
            self._db.executescript(_TABLES)
            run(f"PRAGMA user_version = {SCHEMA}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes inside at once: they are on the disk at the end, or never were."""
        with explained(self.path):
            self._check_file()
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._undo()
                raise

    def _undo(self) -> None:
        try:
            self._db.execute("ROLLBACK")
        except sqlite3.Error:  # SQLite has done so itself, or can do nothing any more
            pass

    def _check_file(self) -> None:
        # A file that was removed goes on to exist for us alone, and ends with this process.
        try:
            identity = _identity(os.stat(self.path))
        except FileNotFoundError:
            identity = None
        if identity != self._identity:
            raise InboxError(
                f"the durable inbox {self.path} was removed or replaced while it was in use. "
                "Connect again to begin a new one; the server's history fills the gap"
            )

    # Streams

    def streams(self) -> list[str]:
        """Return the names of the streams that the file has."""
        with explained(self.path):
            return [name for (name,) in self._db.execute("SELECT name FROM streams ORDER BY name")]

    def add_stream(self, name: str) -> Total:
        """Return what stream *name* holds, making it where there is none."""
        with explained(self.path):
            self._db.execute(
                f'CREATE TABLE IF NOT EXISTS "stream {name}" '
                "(id INTEGER PRIMARY KEY, size INTEGER NOT NULL, event BLOB NOT NULL)"
            )
            self._db.execute("INSERT OR IGNORE INTO streams VALUES (?)", (name,))
            return total_of(self._db, name)

    def replace_streams(self, old: Iterable[str], new: Iterable[tuple[str, Row]]) -> None:
        """Put *new* events, each with its stream, in the place of those of the *old* streams."""
        with explained(self.path):
            self._db.execute(
                "CREATE TABLE moved (stream TEXT, id INTEGER, size INTEGER, event BLOB)"
            )
            self._db.executemany(
                "INSERT INTO moved VALUES (?, ?, ?, ?)", ((name, *row) for name, row in new)
            )
            for name in old:
                self._db.execute(f'DROP TABLE "stream {name}"')
                self._db.execute("DELETE FROM streams WHERE name = ?", (name,))
            found = self._db.execute("SELECT DISTINCT stream FROM moved").fetchall()
            for (name,) in found:
                self.add_stream(name)
                self._db.execute(
                    f'INSERT INTO "stream {name}" SELECT id, size, event FROM moved '
                    "WHERE stream = ?",
                    (name,),
                )
            self._db.execute("DROP TABLE moved")

    def add(self, stream: str, rows: Sequence[Row]) -> None:
        """Add events to a stream; inside a transaction."""
        self._insert(f'"stream {stream}"', "(?, ?, ?)", rows)

    def _insert(self, table: str, row: str, rows: Sequence[tuple[Any, ...]]) -> None:
        one = f"INSERT INTO {table} VALUES {row}"
        many = one + f", {row}" * (_TOGETHER - 1)
        whole = len(rows) - len(rows) % _TOGETHER
        for start in range(0, whole, _TOGETHER):
            values = chain.from_iterable(rows[start : start + _TOGETHER])
            self._db.execute(many, tuple(values))
        self._db.executemany(one, rows[whole:])

    def remove(self, stream: str, numbers: Iterable[int]) -> None:
        """Remove events; inside a transaction."""
        self._db.executemany(
            f'DELETE FROM "stream {stream}" WHERE id BETWEEN ? AND ?', _ranges(numbers)
        )

    def rows(self, stream: str, after: int, limit: int) -> Generator[Row, None, None]:
        """Yield the oldest events with a number above *after*; at most *limit*, -1 for all."""
        with explained(self.path):
            yield from self._db.execute(
                f'SELECT id, size, event FROM "stream {stream}" WHERE id > ? ORDER BY id LIMIT ?',
                (after, limit),
            )

    def oldest(self, stream: str, after: int, size: int) -> dict[int, int]:
        """Return the oldest events above *after* that have *size* bytes in all: their lengths."""
        lengths: dict[int, int] = {}
        for number, length in self._db.execute(
            f'SELECT id, length(event) FROM "stream {stream}" WHERE id > ? ORDER BY id', (after,)
        ):
            if size <= 0:
                break
            lengths[number] = length
            size -= length
        return lengths

    # What was received

    def see(self, messages: Iterable[Seen]) -> None:
        """Remember messages; inside a transaction."""
        rows = [message for message in messages if _is_text(message[0]) and _is_text(message[1])]
        self._insert("seen", "(NULL, ?, ?, ?)", rows)
        self._since_forgotten += len(rows)
        if self._since_forgotten >= _FORGET_EVERY:
            self._since_forgotten = 0
            self._db.execute(
                "DELETE FROM seen WHERE id <= (SELECT max(id) FROM seen) - ?", (_REMEMBERED,)
            )

    def seen(self) -> list[Seen]:
        """Return the messages that are remembered, oldest first."""
        with explained(self.path):
            rows = self._db.execute("SELECT instance, message, replayed FROM seen ORDER BY id")
            return [(instance, message, bool(replayed)) for instance, message, replayed in rows]

    def cover(self, coverage: Coverage) -> None:
        """Note up to when everything was received; inside a transaction."""
        self._db.execute("REPLACE INTO facts VALUES ('origin', ?)", (coverage[0],))
        self._db.executemany("REPLACE INTO covered VALUES (?, ?)", coverage[1].items())

    def coverage(self) -> Coverage | None:
        """Return what :meth:`cover` was told last; None when it never was."""
        with explained(self.path):
            return coverage_of(self._db)

    # The file

    @property
    def run(self) -> int:
        """The number of the last :meth:`begin_run`."""
        with explained(self.path):
            found = self._db.execute("SELECT value FROM facts WHERE name = 'run'").fetchone()
            return int(found[0]) if found is not None else 0

    def begin_run(self) -> int:
        """Count the use of the file by a client, and return its number; inside a transaction."""
        number = self.run + 1
        self._db.execute("REPLACE INTO facts VALUES ('run', ?)", (number,))
        return number

    def shrink(self) -> bool:
        """Give some of the free pages back to the file system; return whether more are left."""
        with explained(self.path):
            [(free,)] = self._db.execute("PRAGMA freelist_count")
            if free <= _SPARE_PAGES:
                return False
            # A script, because execute() would take the first of many steps only.
            self._db.executescript(f"PRAGMA incremental_vacuum({_SHRINK_PAGES})")
            return bool(free - _SHRINK_PAGES > _SPARE_PAGES)

    def close(self) -> None:
        """Close the file; nothing but it and its lock is left behind. Never raises."""
        try:
            self._db.close()
        except sqlite3.Error:  # a broken disk; the WAL has what was committed
            pass

    def leak(self) -> None:
        """
        Let go of the file in the child of a fork, where any use of it would harm the parent.

        Even closing writes to the file, so the connection is kept from ever being collected.
        """
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._db))


def _create(path: str) -> tuple[int, int]:
    """Make an empty file that only its owner reads, unless there is one; return what it is."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        return _identity(os.fstat(file))
    finally:
        os.close(file)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def total_of(db: sqlite3.Connection, stream: str) -> Total:
    [(events, size, last)] = db.execute(
        f'SELECT count(*), total(length(event)), max(id) FROM "stream {stream}"'
    )
    return Total(events, int(size), last or 0)


def coverage_of(db: sqlite3.Connection) -> Coverage | None:
    origin = db.execute("SELECT value FROM facts WHERE name = 'origin'").fetchone()
    if origin is None:
        return None
    return origin[0], dict(db.execute("SELECT instance, until FROM covered").fetchall())


def _is_text(text: str) -> bool:
    """Return whether *text* has a form in UTF-8, which is what SQLite keeps."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield *numbers* as runs, first and last: what is done in order is removed in one go."""
    first = last = None
    for number in sorted(numbers):
        if last is not None and number <= last + 1:
            last = number
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = number
    if first is not None and last is not None:
        yield first, last
