"""The file of a durable inbox: what it keeps, what it refuses, and how it says so."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evolution_ws import InboxError
from evolution_ws._store import SCHEMA, Row, Store, Total


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the path of a file that does not exist yet."""
    return str(tmp_path / "inbox.db")


@pytest.fixture
def store(path: str) -> Iterator[Store]:
    """Return a new store with the stream ``inbox``."""
    store = Store(path)
    store.add_stream("inbox")
    yield store
    store.close()


def fill(store: Store, *numbers: int, stream: str = "inbox", size: int = 10) -> None:
    """Add events with these numbers, each of *size* bytes."""
    with store.transaction():
        store.add(stream, [(number, 1, bytes(size)) for number in numbers])


def numbers(store: Store, after: int = 0, limit: int = -1, stream: str = "inbox") -> list[int]:
    """Return the numbers of the events."""
    return [number for number, _, _ in store.rows(stream, after, limit)]


def reopened(store: Store) -> Store:
    """Close a store and open it again."""
    store.close()
    return Store(store.path)


# Events


def test_events_survive_the_end_of_the_process(store: Store) -> None:
    """What was committed is there when the file is opened again, in order."""
    row: Row = (7, 100, b"payload")
    with store.transaction():
        store.add("inbox", [row, (9, 1, b"")])

    again = reopened(store)

    assert list(again.rows("inbox", 0, -1)) == [row, (9, 1, b"")]
    assert again.add_stream("inbox") == Total(events=2, size=7, last=9)
    again.close()


def test_a_transaction_that_fails_changes_nothing(store: Store) -> None:
    """All of it is written, or nothing is."""
    fill(store, 1)

    def change() -> None:
        with store.transaction():
            store.add("inbox", [(2, 1, b"x")])
            store.remove("inbox", [1])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change()

    assert numbers(store) == [1]


def test_rows_are_read_in_pieces(store: Store) -> None:
    """Reading begins after a number and ends at a limit."""
    fill(store, *range(1, 11))

    assert numbers(store, after=3, limit=4) == [4, 5, 6, 7]


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ([], [1, 2, 3, 4, 5, 6]),
        ([1], [2, 3, 4, 5, 6]),
        ([3, 2, 1], [4, 5, 6]),
        ([1, 3, 4, 6], [2, 5]),
        ([2, 2, 99], [1, 3, 4, 5, 6]),
        ([1, 2, 3, 4, 5, 6], []),
    ],
    ids=str,
)
def test_events_are_removed(store: Store, gone: list[int], left: list[int]) -> None:
    """Exactly the named ones go."""
    fill(store, *range(1, 7))

    with store.transaction():
        store.remove("inbox", gone)

    assert numbers(store) == left


def test_the_oldest_events_of_some_bytes(store: Store) -> None:
    """As many as are needed to free that many bytes, the oldest first."""
    fill(store, *range(1, 7))

    assert store.oldest("inbox", 2, 25) == {3: 10, 4: 10, 5: 10}
    assert store.oldest("inbox", 2, 0) == {}
    assert store.oldest("inbox", 4, 999) == {5: 10, 6: 10}


def test_streams_are_apart(store: Store) -> None:
    """The same number in two streams stands for two events."""
    store.add_stream("callbacks-1")
    fill(store, 1)
    fill(store, 1, 2, stream="callbacks-1")

    with store.transaction():
        store.remove("callbacks-1", [1])

    assert store.streams() == ["callbacks-1", "inbox"]
    assert (numbers(store), numbers(store, stream="callbacks-1")) == ([1], [2])


def test_streams_are_replaced(store: Store) -> None:
    """Old streams go with all they hold; others stay; new ones have what they are given."""
    for name in ("callbacks-1", "callbacks-2"):
        store.add_stream(name)
        fill(store, 1, 2, stream=name)
    fill(store, 5)

    with store.transaction():
        store.replace_streams(
            ["callbacks-1", "callbacks-2"],
            [("callbacks-1", (1, 1, b"a")), ("callbacks-3", (2, 1, b"b"))],
        )

    assert store.streams() == ["callbacks-1", "callbacks-3", "inbox"]
    assert list(store.rows("callbacks-1", 0, -1)) == [(1, 1, b"a")]
    assert list(store.rows("callbacks-3", 0, -1)) == [(2, 1, b"b")]
    assert numbers(store) == [5]


# What was received


def test_messages_are_remembered(store: Store) -> None:
    """They come back in order; a text that has no UTF-8 is left out."""
    seen = [("sales", "A1", False), ("sales", "A2", True), ("ação", "\U0001f600", False)]
    with store.transaction():
        store.see([seen[0], ("sales", "\ud83d", False), ("\ud83d", "x", False), *seen[1:]])

    again = reopened(store)

    assert again.seen() == seen
    again.close()


def test_old_messages_are_forgotten(store: Store) -> None:
    """The memory has a limit, give or take what is forgotten in one go."""
    for start in range(0, 25_000, 1_000):
        with store.transaction():
            store.see([("sales", str(number), False) for number in range(start, start + 1_000)])

    kept = [int(number) for _, number, _ in store.seen()]

    assert kept == list(range(25_000 - len(kept), 25_000))
    assert 20_000 <= len(kept) <= 21_000


def test_coverage_is_kept(store: Store) -> None:
    """The last word counts; an instance that is not mentioned any more keeps its own."""
    assert store.coverage() is None
    with store.transaction():
        store.cover((1.5, {"sales": 2.5, "old": 2.0}))
    with store.transaction():
        store.cover((1.5, {"sales": 3.25}))

    again = reopened(store)

    assert again.coverage() == (1.5, {"sales": 3.25, "old": 2.0})
    again.close()


def test_runs_are_counted(store: Store) -> None:
    """Each use of the file has a number of its own."""
    with store.transaction():
        first = store.begin_run()
    again = reopened(store)
    with again.transaction():
        second = again.begin_run()

    assert (first, second, again.run) == (1, 2, 2)
    again.close()


# The file


def test_only_the_owner_may_read(store: Store, tmp_path: Path) -> None:
    """Messages are nobody else's business."""
    fill(store, 1)

    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.iterdir()}

    assert modes == dict.fromkeys(("inbox.db", "inbox.db-wal", "inbox.db-shm"), 0o600)


def test_nothing_is_left_beside_a_closed_file(store: Store, tmp_path: Path) -> None:
    """The log of SQLite goes when the file is closed."""
    fill(store, 1)
    store.close()
    store.close()

    assert os.listdir(tmp_path) == ["inbox.db"]


def test_the_file_shrinks(store: Store, path: str) -> None:
    """The room of events that are done goes back to the file system."""
    fill(store, *range(1, 3_001), size=4_000)
    store = reopened(store)
    large = os.path.getsize(path)
    with store.transaction():
        store.remove("inbox", range(1, 3_001))
    rounds = 1
    while store.shrink():
        rounds += 1
    store.close()

    assert rounds > 1
    assert os.path.getsize(path) < large / 5


# What cannot be used


def _directory(path: str) -> None:
    os.mkdir(path)


def _text(path: str) -> None:
    Path(path).write_text("these are a few lines of text, and no database at all\n" * 50)


def _foreign(path: str) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE mine (a)")
    db.close()


def _newer(path: str) -> None:
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    db.close()


def _half(path: str) -> None:
    store = Store(path)
    store.add_stream("inbox")
    fill(store, *range(1, 200), size=1_000)
    store.close()
    with open(path, "r+b") as file:
        file.truncate(4096 * 5)


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (_directory, "Is a directory"),
        (_text, "is no inbox but another kind of file; name another one"),
        (_foreign, "is a database of another program; name another file"),
        (_newer, f"newer evolution-ws .schema {SCHEMA + 1}, this one knows {SCHEMA}.; upgrade"),
        (_half, "is damaged. Move it away"),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_a_file_that_is_no_inbox(path: str, prepare: Callable[[str], None], said: str) -> None:
    """It is refused with what it is and what to do, and not changed."""
    prepare(path)
    before = None if os.path.isdir(path) else Path(path).read_bytes()

    with pytest.raises(InboxError, match=said) as caught:
        Store(path).add_stream("inbox")

    assert path in str(caught.value)
    assert before is None or Path(path).read_bytes() == before


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    """The error says what to create."""
    with pytest.raises(InboxError, match="create the directory"):
        Store(str(tmp_path / "missing" / "inbox.db"))


def test_flipped_bytes(store: Store, path: str) -> None:
    """Damage in the middle of the file is reported when it is met."""
    fill(store, *range(1, 2_001), size=1_000)
    store.close()
    with open(path, "r+b") as file:
        for page in range(3, 400):
            file.seek(page * 4096)
            file.write(b"\xa5" * 64)
    damaged = Store(path)

    with pytest.raises(InboxError, match="is damaged"):
        damaged.add_stream("inbox")
    damaged.close()


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_a_file_that_is_taken_away(store: Store, path: str, change: str) -> None:
    """What would be written to a file without a name is refused."""
    fill(store, 1)
    os.remove(path)
    if change == "replaced":
        Path(path).write_bytes(b"")

    with pytest.raises(InboxError, match="was removed or replaced while it was in use"):
        fill(store, 2)


def test_a_full_disk(store: Store) -> None:
    """The transaction is undone, and the error says that there is no room."""
    fill(store, 1)
    [(pages,)] = store._db.execute("PRAGMA page_count")
    store._db.execute(f"PRAGMA max_page_count = {pages}").fetchall()

    with pytest.raises(InboxError, match="the disk is full"):
        fill(store, *range(2, 200), size=1_000)

    assert numbers(store) == [1]


def test_a_file_that_another_program_locks(store: Store, path: str) -> None:
    """A database browser in a transaction is named as the cause."""
    store._db.execute("PRAGMA busy_timeout = 1")
    browser = sqlite3.connect(path, isolation_level=None)
    browser.execute("BEGIN IMMEDIATE")

    with pytest.raises(InboxError, match="locked by another program, such as a database browser"):
        fill(store, 1)
    browser.close()


def test_another_failure_of_the_disk(store: Store) -> None:
    """What has no sentence of its own is passed on in SQLite's words."""
    with pytest.raises(InboxError, match=r"failed \(no such table: stream other\); look at"):
        fill(store, 1, stream="other")


def test_a_file_that_must_not_be_written(store: Store) -> None:
    """A disk that has become read-only is named as the cause."""
    store._db.execute("PRAGMA query_only = 1")

    with pytest.raises(InboxError, match="cannot be written to; correct the permissions"):
        fill(store, 1)
