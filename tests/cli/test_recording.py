"""Files of recorded events."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from evolution_ws import ConfigError, Event
from evolution_ws.cli._recording import Recorder, read_events
from tests.samples import NAMES, load_event


NAMES_OF_FILES = ["events.ndjson", "events.ndjson.gz"]


@pytest.fixture
def events() -> list[Event]:
    """Return every kind of event that was ever seen."""
    return [load_event(name) for name in NAMES]


@pytest.mark.parametrize("name", NAMES_OF_FILES)
def test_what_is_recorded_can_be_read(tmp_path: Path, name: str, events: list[Event]) -> None:
    """Events come back as they were, after an interruption of the recording, too."""
    path = tmp_path / name

    with Recorder(str(path)) as recorder:
        recorder.write(events[0])
    with Recorder(str(path), append=True) as recorder:
        for event in events[1:]:
            recorder.write(event)

    assert events == list(read_events(str(path)))
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", NAMES_OF_FILES)
def test_a_crash_loses_no_event_before_it(tmp_path: Path, name: str, events: list[Event]) -> None:
    """A recording that was never closed has what was written."""
    path = tmp_path / name
    recorder = Recorder(str(path))
    for event in events[:5]:
        recorder.write(event)

    found = list(read_events(str(path)))
    recorder.close()

    assert events[:5] == found


def test_a_cut_off_line_is_left_out(tmp_path: Path, events: list[Event]) -> None:
    """Half a line at the end is what a crash leaves; blank lines are nothing."""
    path = tmp_path / "events.ndjson"
    path.write_text(f"{events[0].to_json()}\n\n{events[1].to_json()[:20]}")

    assert events[:1] == list(read_events(str(path)))


@pytest.mark.parametrize("line", ["{", "[]", "1", '{"id": 1}', '{"type": "x", "received_at": "y"}'])
def test_a_line_that_is_no_event(tmp_path: Path, line: str) -> None:
    """A line that is something else is complained about by its number."""
    path = tmp_path / "events.ndjson"
    path.write_text(f"{Event('call', 'sales').to_json()}\n{line}\n")

    with pytest.raises(ConfigError, match="line 2"):
        list(read_events(str(path)))


def test_a_damaged_file(tmp_path: Path) -> None:
    """A compressed file that is damaged is not taken for one that was cut off."""
    path = tmp_path / "events.ndjson.gz"
    whole = bytearray(gzip.compress(b'{"type": "call"}\n' * 100))
    whole[10:20] = b"\xff" * 10
    path.write_bytes(whole)

    with pytest.raises(ConfigError, match="damaged"):
        list(read_events(str(path)))


def test_a_file_is_not_overwritten_by_mistake(tmp_path: Path, events: list[Event]) -> None:
    """A file that exists is left alone unless told otherwise."""
    path = tmp_path / "events.ndjson"
    path.write_text("something\n")

    with pytest.raises(ConfigError, match="exists"):
        Recorder(str(path))
    with Recorder(str(path), overwrite=True) as recorder:
        recorder.write(events[0])

    assert events[:1] == list(read_events(str(path)))
