"""The state of a durable inbox on the command line."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from evolution_ws import Client
from evolution_ws.cli import inbox
from evolution_ws.testing import FakeEvolutionServer, build
from tests.cli.tools import CEILING, run


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """Return an inbox in which two events wait."""
    path = tmp_path / "inbox.db"
    with (
        FakeEvolutionServer(instances=("sales",)) as server,
        Client(server.url, "sales", durable=str(path)) as client,
        client.subscribe() as seen,
    ):
        for text in ("one", "two"):
            server.emit(build.text(text, instance="sales"))
            seen.get(timeout=CEILING)
    return path


def test_inbox_shows_what_waits(used: Path) -> None:
    """File, user and events of each stream are shown."""
    done = run("inbox", used)

    assert (done.code, done.err) == (0, "")
    assert str(used) in done.lines[0]
    assert done.lines[1].split() == ["used", "by", "nobody"]
    assert any(line.split()[:3] == ["inbox", "2", "event(s),"] for line in done.lines)


def test_inbox_in_use(tmp_path: Path) -> None:
    """A file in use is looked at all the same."""
    path = tmp_path / "inbox.db"
    with (
        FakeEvolutionServer(instances=("sales",)) as server,
        Client(server.url, "sales", durable=str(path)),
    ):
        done = run("inbox", path)

    assert done.code == 0
    assert "process" in done.lines[1]


def test_inbox_as_json(used: Path) -> None:
    """--json writes one document."""
    document = json.loads(run("inbox", used, "--json").out)

    assert document["streams"]["inbox"]["events"] == 2
    assert document["used_by"] is None


@pytest.mark.parametrize("content", [None, "no inbox"], ids=["missing", "other"])
def test_inbox_that_is_none(tmp_path: Path, content: str | None) -> None:
    """What is no durable inbox is said so."""
    path = tmp_path / "inbox.db"
    if content is not None:
        path.write_text(content)

    done = run("inbox", path)

    assert (done.code, done.out) == (1, "")
    assert str(path) in done.err


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1536, "1.5 KiB"), (3 << 20, "3.0 MiB"), (5 << 30, "5.0 GiB")],
)
def test_sizes(size: int, text: str) -> None:
    """Sizes are in units that fit."""
    assert text == inbox._size(size)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "1 s ago"), (-5, "0 s ago"), (150, "2 min ago"), (7300, "2 h ago"), (200000, "2 d ago")],
)
def test_ages(seconds: int, text: str) -> None:
    """Ages are in units that fit."""
    now = datetime.now(timezone.utc)

    assert text == inbox._ago(now - timedelta(seconds=seconds), now)
