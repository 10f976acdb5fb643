"""A look at a durable inbox from outside."""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime, timezone
from pathlib import Path

import pytest

from evolution_ws import Event, InboxError
from evolution_ws._packing import pack
from evolution_ws._store import SCHEMA, Store
from evolution_ws._store_lock import StoreLock
from evolution_ws.inbox import StreamState, inspect


def make(path: Path) -> Store:
    """Return a store with two events in one of two streams."""
    store = Store(str(path))
    store.add_stream("inbox")
    store.add_stream("callbacks-1")
    with store.transaction():
        events = [Event("call", "sales", {}, received_at=when) for when in (100.0, 200.0)]
        store.add("inbox", [(number, 1, pack(event)) for number, event in enumerate(events)])
        store.cover((50.0, {"sales": 300.0}))
    return store


def utc(seconds: float) -> datetime:
    """Return a moment in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc)


@pytest.mark.parametrize("use", ["in use", "at rest", "left by a crash"])
def test_a_look_tells_what_waits(tmp_path: Path, use: str) -> None:
    """The same is told while a client uses the file, afterwards, and after a crash."""
    path = tmp_path / "inbox.db"
    store = make(path)
    lock = StoreLock(str(path)) if use == "in use" else None
    if use == "at rest":
        store.close()
    before = sorted(os.listdir(tmp_path))

    state = inspect(path)

    size = len(pack(Event("call", "sales", {}, received_at=100.0)))
    assert state.streams == {
        "callbacks-1": StreamState(events=0, size=0, oldest=None),
        "inbox": StreamState(events=2, size=2 * size, oldest=utc(100)),
    }
    assert (state.origin, state.covered) == (utc(50), {"sales": utc(300)})
    assert (state.path, state.schema) == (os.path.realpath(path), SCHEMA)
    assert state.used_by == (os.getpid() if use == "in use" else None)
    assert state.file_size > 10_000
    assert sorted(os.listdir(tmp_path)) == before
    if lock is not None:
        lock.release()
    store.close()


def test_a_look_does_not_disturb_the_user(tmp_path: Path) -> None:
    """Whoever uses the file writes on, before and after."""
    store = make(tmp_path / "inbox.db")
    for number in range(10, 20):
        with store.transaction():
            store.add("inbox", [(number, 1, b"x")])
        state = inspect(tmp_path / "inbox.db")

        assert state.streams["inbox"].events == number - 7
    store.close()


def test_a_new_inbox(tmp_path: Path) -> None:
    """Before the first connection nothing is known."""
    Store(str(tmp_path / "inbox.db")).close()

    state = inspect(tmp_path / "inbox.db")

    assert (state.streams, state.origin, state.covered) == ({}, None, {})


def test_a_damaged_event(tmp_path: Path) -> None:
    """It is counted; its time is not known."""
    store = Store(str(tmp_path / "inbox.db"))
    store.add_stream("inbox")
    with store.transaction():
        store.add("inbox", [(1, 1, b"rubbish")])
    store.close()

    state = inspect(tmp_path / "inbox.db")

    assert state.streams == {"inbox": StreamState(events=1, size=7, oldest=None)}


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    """It is not made by looking for it."""
    with pytest.raises(InboxError, match="No such file"):
        inspect(tmp_path / "inbox.db")

    assert os.listdir(tmp_path) == []


def test_another_program_s_database(tmp_path: Path) -> None:
    """It is no inbox."""
    db = sqlite3.connect(tmp_path / "x.db")
    db.execute("CREATE TABLE mine (a)")
    db.close()

    with pytest.raises(InboxError, match="is no durable inbox"):
        inspect(tmp_path / "x.db")


def test_a_newer_file(tmp_path: Path) -> None:
    """It is not guessed at."""
    Store(str(tmp_path / "x.db")).close()
    db = sqlite3.connect(tmp_path / "x.db")
    db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    db.close()

    with pytest.raises(InboxError, match="newer evolution-ws; upgrade"):
        inspect(tmp_path / "x.db")
