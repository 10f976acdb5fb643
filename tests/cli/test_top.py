"""The live table."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest

from evolution_ws import Client
from evolution_ws.cli._board import Board
from evolution_ws.cli.top import head_of
from evolution_ws.testing import FakeEvolutionServer, build
from tests.cli.tools import Terminal, in_background, run


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Run a server with one instance."""
    with FakeEvolutionServer(instances=("sales",)) as server:
        yield server


def test_top_on_a_terminal(server: FakeEvolutionServer) -> None:
    """A table is drawn in place; Ctrl-C ends it with 0."""
    with Terminal("top", "--url", server.url, "-i", "sales", "--interval", "0.1") as terminal:
        terminal.wait_for("no events yet")
        for envelope in build.samples("sales"):
            server.emit(envelope)
        terminal.wait_for(f"{len(build.samples())} received")
        terminal.wait_for("per second")
        terminal.signal(signal.SIGINT)
        done = terminal.wait()

    assert done.code == 0
    assert "messages.upsert" in done.out
    assert "Traceback" not in done.out


def test_top_ends_on_sigterm(server: FakeEvolutionServer) -> None:
    """SIGTERM has its usual code."""
    with Terminal("top", "--url", server.url, "-i", "sales", "--interval", "0.1") as terminal:
        terminal.wait_for("no events yet")
        terminal.signal(signal.SIGTERM)

        assert terminal.wait().code == 143


@pytest.mark.parametrize("has_rich", [True, False], ids=["rich", "without"])
def test_top_in_a_pipe(
    server: FakeEvolutionServer, has_rich: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal, or without rich, there is a block of lines for each refresh."""
    if not has_rich:
        monkeypatch.setitem(sys.modules, "evolution_ws.cli._rich_screen", None)
    arguments = ["--url", server.url, "-i", "sales", "--interval", "0.5", "--count", "2"]
    with in_background("top", *arguments) as ended:
        server.wait_for_client("sales")
        for _ in range(3):
            server.emit("call", {"id": "C1"}, instance="sales")
    [done] = ended

    assert done.code == 0
    assert sum(line.startswith("open for 0:00:0") for line in done.lines) == 2
    assert done.lines[-1].split()[1:] == ["3", "sales", "call"]


def test_top_names_what_is_not_joined() -> None:
    """A namespace that is pending is in the head."""
    with FakeEvolutionServer(instances=("sales",), lazy=True) as server:
        with Client(server.url, "sales") as client:
            head = head_of(client, Board())
        done = run("top", "--url", server.url, "-i", "sales", "--interval", "0.1", "--count", "1")

    assert "not joined: /sales" in head
    assert "not joined: /sales" in done.out


def test_head_of_a_client_without_connection(server: FakeEvolutionServer) -> None:
    """A client that is not connected has a head as well."""
    client = Client(server.url, "sales")

    assert head_of(client, Board())[0] == "new"
    client.close()
