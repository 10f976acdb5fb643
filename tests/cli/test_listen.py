"""Listening on the command line."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from evolution_ws import Client, Event
from evolution_ws.testing import FakeEvolutionServer, build
from tests.cli.tools import COMMAND, ROOT, Running, Terminal, environment, in_background, run
from tests.node_server import NodeServer, require_node


KEY = "invented-key"


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Run a server with two instances and a key."""
    with FakeEvolutionServer(instances=("sales", "support"), api_key=KEY) as server:
        yield server


@pytest.fixture
def arguments(server: FakeEvolutionServer, tmp_path: Path) -> list[str]:
    """Return the arguments that lead to the server."""
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n")
    return ["--url", server.url, "--instance", "sales", "--api-key-file", str(key)]


def test_listen_writes_one_json_object_a_line(
    server: FakeEvolutionServer, arguments: list[str]
) -> None:
    """What is written to a pipe are whole events that can be read back."""
    samples = build.samples("sales")
    with in_background("listen", *arguments, "--limit", len(samples)) as ended:
        server.wait_for_client("sales")
        for envelope in samples:
            server.emit(envelope)
    [done] = ended

    events = [Event.from_dict(json.loads(line)) for line in done.lines]
    assert done.code == 0
    assert [one["event"] for one in samples] == [event.type for event in events]
    assert [one["data"] for one in samples] == [event.data for event in events]


def test_listen_selects_events_in_any_spelling(
    server: FakeEvolutionServer, arguments: list[str]
) -> None:
    """--events takes names with commas and of every spelling; others are not written."""
    with in_background(
        "listen", *arguments, "-e", "MESSAGES_DELETE,call", "-e", "contacts.update", "--limit", 3
    ) as ended:
        server.wait_for_client("sales")
        for envelope in build.samples("sales"):
            server.emit(envelope)
    [done] = ended

    names = [json.loads(line)["type"] for line in done.lines]
    assert names == ["contacts.update", "call", "messages.delete"]


@pytest.mark.parametrize(("limit", "code"), [([], 0), (["--limit", "2"], 1)], ids=["any", "limit"])
def test_listen_ends_when_nothing_comes(
    server: FakeEvolutionServer, arguments: list[str], limit: list[str], code: int
) -> None:
    """--timeout ends it: with 0, or with 1 when --limit was not reached."""
    done = run("listen", *arguments, *limit, "--timeout", "0.1")

    assert (code, "") == (done.code, done.out)


def test_listen_fills_a_template(server: FakeEvolutionServer, arguments: list[str]) -> None:
    """--format with fields writes them; what an event does not have is empty."""
    template = "{type}|{message.push_name}|{message.text}|{data[key][id]:.2}"
    with in_background("listen", *arguments, "--limit", 2, "--format", template) as ended:
        server.wait_for_client("sales")
        server.emit(build.text("Oi\x1b[2J", instance="sales", push_name="Ana"))
        server.emit(build.presence(instance="sales"))
    [done] = ended

    assert done.lines == ["messages.upsert|Ana|Oi\\u001b[2J|3E", "presence.update|||"]


def test_listen_writes_lines_for_people_on_a_terminal(
    server: FakeEvolutionServer, arguments: list[str]
) -> None:
    """On a terminal there are readable, coloured lines without control characters of strangers."""
    with Terminal("listen", *arguments, "--limit", 1) as terminal:
        server.wait_for_client("sales")
        server.emit(build.text("Bom\x1b]0;owned\x07 dia\u202e!", instance="sales", push_name="Ana"))
        done = terminal.wait()

    assert done.code == 0
    assert "Ana: Bom\\u001b]0;owned\\u0007 dia\\u202e!" in done.out
    assert "\x1b]0;" not in done.out
    assert "\x1b[32mmessages.upsert" in done.out
    assert KEY not in done.out


def test_listen_tells_why_a_namespace_is_pending() -> None:
    """A person at the terminal is told at once that the instance's namespace does not exist."""
    with (
        FakeEvolutionServer(instances=("sales",), lazy=True) as lazy,
        Terminal("listen", "--url", lazy.url, "--instance", "sales") as terminal,
    ):
        terminal.wait_for("/sales is pending")
        terminal.signal(signal.SIGINT)
        done = terminal.wait()

    assert done.code == 130


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_listen_is_interrupted_cleanly(
    server: FakeEvolutionServer, arguments: list[str], number: signal.Signals, code: int
) -> None:
    """Signals end it without a traceback, and with the conventional codes."""
    with Running("listen", *arguments) as listen:
        server.wait_for_client("sales")
        server.emit("call", {"id": "C1"}, instance="sales")
        listen.wait_for_lines(1)
        listen.signal(number)
        done = listen.wait()

    assert (code, "") == (done.code, done.err)


def test_listen_ends_when_its_reader_is_gone(
    server: FakeEvolutionServer, arguments: list[str]
) -> None:
    """A closed pipe ends it without a traceback, as it does other tools."""
    process = subprocess.Popen(
        [*COMMAND, "listen", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
    )
    assert process.stdout is not None
    server.wait_for_client("sales")
    server.emit("call", {"id": "C1"}, instance="sales")
    assert process.stdout.readline()
    process.stdout.close()
    server.emit("call", {"id": "C2"}, instance="sales")
    errors = process.communicate()[1]

    assert (process.returncode, errors) == (141, b"")


def test_listen_takes_everything_from_the_environment(server: FakeEvolutionServer) -> None:
    """URL, instances and key may come from the environment, and none is shown."""
    with Running(
        "listen",
        "--limit",
        2,
        EVOLUTION_URL=server.url,
        EVOLUTION_INSTANCE="sales, support",
        EVOLUTION_API_KEY=KEY,
    ) as listen:
        server.wait_for_client("support")
        server.emit("call", {"id": "C1"}, instance="sales")
        server.emit("call", {"id": "C2"}, instance="support")
        done = listen.wait()

    assert [json.loads(line)["instance"] for line in done.lines] == ["sales", "support"]
    assert KEY not in done.out + done.err


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (["--api-key", "wrong-key"], 3, "refused the api key"),
        (["--url", "http://127.0.0.1:1"], 4, "nobody listens"),
        (["--url", "ftp://127.0.0.1"], 2, "has to start with http"),
        (["--api-key-file", "/nowhere/key"], 2, "cannot read /nowhere/key"),
        (["--format", "{nothing}"], 2, "cannot show 'nothing'"),
        (["--limit", "0"], 2, "at least 1"),
        (["--ca-file", "/nowhere/ca.pem"], 0, ""),
    ],
    ids=["key", "connect", "url", "key-file", "format", "limit", "unused-ca"],
)
def test_listen_ends_with_a_code_that_tells_why(
    server: FakeEvolutionServer, arguments: list[str], change: list[str], code: int, said: str
) -> None:
    """What goes wrong at first is said in one line, with its own exit code."""
    done = run("listen", *arguments, *change, "--timeout", "0.1")

    assert code == done.code
    assert said in done.err
    assert "wrong-key" not in done.err


def test_listen_hears_a_real_socketio_server() -> None:
    """Events of Node's socket.io arrive, binary ones included."""
    require_node()
    with NodeServer(api_key=KEY) as node:
        node.create_namespace("sales")
        with Running(
            "listen", "--url", node.url, "-i", "sales", "--limit", 2, EVOLUTION_API_KEY=KEY
        ) as listen:
            node.wait_for_clients("/sales")
            node.emit("messages.upsert", {"key": {"id": "A1"}, "n": b"\x01\x02"}, instance="sales")
            node.emit("call", {"id": "C1"}, instance="sales")
            done = listen.wait()

    first, second = (Event.from_dict(json.loads(line)) for line in done.lines)
    assert (first.data["n"], second.type) == (b"\x01\x02", "call")


def test_listen_begins_in_the_past(server: FakeEvolutionServer, arguments: list[str]) -> None:
    """--since brings the messages that the server has stored."""
    server.emit("messages.upsert", build.text("before").data, instance="sales")

    done = run("listen", *arguments, "--since", "1h", "--limit", 1, "--timeout", 10)

    event = json.loads(done.out)
    assert (done.code, event["replayed"]) == (0, True)


def test_listen_goes_on_where_it_was_stopped(
    server: FakeEvolutionServer, arguments: list[str], tmp_path: Path
) -> None:
    """With --durable, what was not written yet is written by the next run."""
    path = tmp_path / "inbox.db"
    with (
        Client(server.url, "sales", api_key=KEY, durable=str(path)) as client,
        client.subscribe() as seen,
    ):
        for number in range(2):
            server.emit("call", {"id": f"C{number}"}, instance="sales")
            seen.get(timeout=10)

    first = run("listen", *arguments, "--durable", path, "--limit", 1, "--timeout", 10)
    second = run("listen", *arguments, "--durable", path, "--limit", 1, "--timeout", 10)
    third = run("listen", *arguments, "--durable", path, "--timeout", 0.2)

    assert [json.loads(done.out)["data"]["id"] for done in (first, second)] == ["C0", "C1"]
    assert (third.code, third.out) == (0, "")
