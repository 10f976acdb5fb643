"""Recording on the command line."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from evolution_ws.cli._recording import read_events
from evolution_ws.testing import FakeEvolutionServer, build
from tests.cli.tools import Running, in_background, run


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Run a server with one instance, which exposes tokens."""
    with FakeEvolutionServer(instances=("sales",), expose_keys=True) as server:
        yield server


def emit_samples(server: FakeEvolutionServer) -> list[str]:
    """Emit one event of each kind and return their names."""
    server.wait_for_client("sales")
    samples = build.samples("sales")
    for envelope in samples:
        server.emit(envelope["event"], envelope["data"], instance="sales")
    return [str(envelope["event"]) for envelope in samples]


@pytest.mark.parametrize("name", ["events.ndjson", "events.ndjson.gz"])
def test_record_writes_a_file(server: FakeEvolutionServer, tmp_path: Path, name: str) -> None:
    """What arrives is in the file, without tokens."""
    path = tmp_path / name
    limit = len(build.samples("sales"))

    with in_background("record", path, "--url", server.url, "-i", "sales", "--limit", limit) as end:
        names = emit_samples(server)

    events = list(read_events(str(path)))
    assert (0, f"{limit} event(s) in {path}\n") == (end[0].code, end[0].out)
    assert names == [event.type for event in events]
    assert {None} == {event.api_key for event in events}


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_record_is_stopped(
    server: FakeEvolutionServer, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """A recording that is stopped is whole."""
    path = tmp_path / "events.ndjson.gz"
    with Running("record", path, "--url", server.url, "-i", "sales", "-e", "call") as record:
        emit_samples(server)
        while not list(read_events(str(path))):
            pass
        record.signal(number)
        done = record.wait()

    assert (code, "") == (done.code, done.err)
    assert "1 event(s)" in done.out
    assert [event.type for event in read_events(str(path))] == ["call"]


def test_record_to_standard_output(server: FakeEvolutionServer) -> None:
    """A dash writes to standard output and nothing else goes there."""
    with Running(
        "record",
        "-",
        "--url",
        server.url,
        "-i",
        "sales",
        "-e",
        "call,messages.delete",
        "--limit",
        2,
    ) as record:
        emit_samples(server)
        done = record.wait()

    assert [json.loads(line)["type"] for line in done.lines] == ["call", "messages.delete"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-", "--append"], 2, "need a file"),
        (["/nowhere/events.ndjson"], 1, "/nowhere/events.ndjson"),
        (["{path}", "--force", "--limit", "1", "--timeout", "0.1"], 1, ""),
    ],
    ids=["dash", "directory", "limit"],
)
def test_record_that_fails(
    server: FakeEvolutionServer, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    """What cannot be recorded is said; fewer events than asked for are a failure."""
    filled = [text.format(path=tmp_path / "events.ndjson") for text in arguments]

    done = run("record", *filled, "--url", server.url, "-i", "sales")

    assert code == done.code
    assert said in done.err
