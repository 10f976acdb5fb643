"""Replaying on the command line."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from evolution_ws import Client, Event
from evolution_ws.cli.replay import paced
from tests.cli.tools import CEILING, Running, run
from tests.samples import NAMES, load_event


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Return a file with every kind of event."""
    path = tmp_path / "events.ndjson"
    path.write_text("".join(f"{load_event(name).to_json()}\n" for name in NAMES))
    return path


@pytest.fixture
def handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the name of a module with handlers in the current directory."""
    name = f"handlers_{tmp_path.name.replace('-', '_')}"
    code = """
        seen = []

        class Shop:
            def handle(event):
                seen.append(event)
                if event.type == "call":
                    raise ValueError("no calls, please")

        nothing = None
        """
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(code))
    monkeypatch.chdir(tmp_path)
    yield name
    sys.modules.pop(name, None)


def test_replay_into_a_handler(recording: Path, handlers: str) -> None:
    """A function gets each event as it was; its failures are shown and make the code 1."""
    done = run("replay", recording, "--handler", f"{handlers}:Shop.handle", "--speed", "0")

    failures = sum(load_event(name).type == "call" for name in NAMES)
    assert [load_event(name) for name in NAMES] == sys.modules[handlers].seen
    assert done.code == 1
    assert f"{len(NAMES)} event(s), {failures} failure(s)" in done.out
    assert "ValueError: no calls, please" in done.err


def test_replay_that_works(tmp_path: Path, handlers: str) -> None:
    """Without failures the code is 0."""
    path = tmp_path / "one.ndjson"
    path.write_text(f"{Event('messages.upsert', 'sales', {}).to_json()}\n")

    done = run("replay", path, "--handler", f"{handlers}:Shop.handle")

    assert (done.code, done.out, done.err) == (0, "1 event(s), 0 failure(s)\n", "")


@pytest.mark.parametrize(
    "handler", ["nowhere_at_all:f", "{}:missing", "{}:nothing", "{}", ":f"], ids=str
)
def test_replay_without_a_handler(recording: Path, handlers: str, handler: str) -> None:
    """A handler that is none is a usage error."""
    done = run("replay", recording, "--handler", handler.format(handlers))

    assert (done.code, done.out) == (2, "")


def test_replay_into_a_server(recording: Path) -> None:
    """Whoever connects gets the recorded events, in order and with their own times."""
    recorded = [load_event(name) for name in NAMES]
    instances = list(dict.fromkeys(event.instance for event in recorded))
    with Running("replay", recording, "--speed", 0) as replay:
        url = replay.wait_for_lines(1)[0]
        with Client(url, instances, backfill=False) as client:
            events = list(client.events(limit=len(recorded), timeout=CEILING))
        done = replay.wait()

    assert done.code == 0, done.err
    assert f"{len(recorded)} event(s) sent" in done.out
    assert [(one.type, one.date_time) for one in recorded] == [
        (one.type, one.date_time) for one in events
    ]


def test_replay_of_global_events(tmp_path: Path) -> None:
    """What was recorded on the root is replayed there."""
    path = tmp_path / "events.ndjson"
    path.write_text(f"{Event('call', 'sales', {}, namespace='/').to_json()}\n")
    with Running("replay", path) as replay:
        with Client(replay.wait_for_lines(1)[0], backfill=False) as client:
            event = client.get(timeout=CEILING)
        replay.wait()

    assert ("/", "sales") == (event.namespace, event.instance)


def test_replay_that_nobody_hears(recording: Path) -> None:
    """Without a client the server gives up in the end."""
    done = run("replay", recording, "--patience", "0.1")

    assert done.code == 1
    assert "client" in done.err


def test_replay_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without events is a mistake."""
    path = tmp_path / "empty.ndjson"
    path.write_text("")

    assert run("replay", path).code == 2
    assert run("replay", tmp_path / "missing.ndjson").code == 1


def test_replay_from_standard_input(recording: Path) -> None:
    """A dash reads the recording."""
    with Running(
        "replay", "-", "--handler", "builtins:repr", "--speed", 0, stdin=recording.read_text()
    ) as replay:
        done = replay.wait()

    assert f"{len(NAMES)} event(s), 0 failure(s)" in done.out


@pytest.mark.parametrize(
    ("speed", "pauses"), [(1.0, [0, 2, 4]), (4.0, [0, 0.5, 1]), (0.0, [])], ids=str
)
def test_paced(speed: float, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Events keep their distances, divided by the speed."""
    clock = 100.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal clock
        clock += seconds
        slept.append(clock - 100)

    monkeypatch.setattr(time, "monotonic", lambda: clock)
    monkeypatch.setattr(time, "sleep", sleep)
    events = [
        Event("call", "sales", received_at=NOW + timedelta(seconds=offset)) for offset in (0, 2, 4)
    ]

    assert events == list(paced(events, speed))
    assert pauses == pytest.approx(slept)
    assert list(paced(iter(()), 1)) == []
