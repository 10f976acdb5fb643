"""Tests for :mod:`evolution_ws.notebook` in an IPython shell inside this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from evolution_ws import ConfigError, NamespaceState
from evolution_ws.client import Client
from evolution_ws.notebook import (
    live,
    load_ipython_extension,
    unload_ipython_extension,
)
from evolution_ws.notebook._live import Board, _gather
from evolution_ws.testing import FakeEvolutionServer, build

from .core_tools import make_client, python
from .helpers import wait_until
from .html_tools import HOSTILE, Page


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Return a shell with the extension loaded."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config: Any = Config()
    config.HistoryManager.enabled = False
    started: Any = InteractiveShell.instance(config=config)
    load_ipython_extension(started)
    yield started
    unload_ipython_extension(started)
    InteractiveShell.clear_instance()


def texts(captured: Any) -> list[str]:
    """Return what a person read in the output of a cell, one after the other."""
    return [Page(output.data["text/html"]).text for output in captured.outputs]


def test_live_ends_in_time(shell: Any, server: FakeEvolutionServer) -> None:
    """With a timeout the table ends by itself, and shows what came until then."""
    with make_client(server.url) as client:

        def emit() -> None:
            wait_until(lambda: len(client._core.hub._consumers) == 2)
            server.emit(build.text("Bom dia", instance="sales"))

        helper = threading.Thread(target=emit)
        helper.start()
        with capture_output() as captured:
            live(client, timeout=1, interval=0.05)
        helper.join()

        assert "Bom dia" in texts(captured)[-1]
        assert client.is_connected
    assert captured.outputs[0].update is not True
    assert {output.update for output in captured.outputs[1:]} == {True}


def test_live_ends_with_the_client(shell: Any, server: FakeEvolutionServer) -> None:
    """When the client is closed, the table says so and ends."""
    with make_client(server.url) as client:
        client.close()
        with capture_output() as captured:
            live(client)

    assert "closed" in texts(captured)[-1]


def test_live_ends_with_an_interrupt(
    shell: Any, server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupting is a normal end."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Board, "add", interrupted)
    server.emit("messages.upsert", {})
    with make_client(server.url) as client:
        helper = threading.Timer(0, lambda: server.emit("messages.upsert", {}))
        wait_until(lambda: client.is_connected)
        helper.start()
        with capture_output() as captured:
            live(client, timeout=10)
        helper.join()

    assert "open" in texts(captured)[-1]


def test_gathering_that_is_over(server: FakeEvolutionServer) -> None:
    """When it is time for an update, nothing more is waited for."""
    with make_client(server.url) as client, client.subscribe() as stream:
        board = Board(client, 1)
        _gather(stream, board, time.monotonic() - 1)

    assert repr(board).endswith("0 events, 0 dropped")


def test_live_without_a_notebook() -> None:
    """In a script the error says what there is instead."""
    with pytest.raises(ConfigError, match="evolution-ws top"):
        live(make_client("http://127.0.0.1:1"))


def test_live_without_ipython() -> None:
    """The rest works without IPython; the error says what to install."""
    process = python(
        "import sys\n"
        "sys.modules['IPython'] = None\n"
        "from evolution_ws import Client, notebook\n"
        "print(notebook.table([]))\n"
        "try:\n    notebook.live(Client('http://127.0.0.1:1'))\n"
        "except Exception as exc:\n    print(exc)\n"
    )
    out, _ = process.communicate(timeout=20)

    table, error = out.splitlines()
    assert table == "<EventTable of 0 events>"
    assert error == "this needs IPython: pip install 'evolution-ws[notebook]'"


def test_board() -> None:
    """The board counts by instance and type, the most frequent first, and keeps the newest."""
    board = Board(make_client("http://127.0.0.1:1"), 2)
    for number in range(3):
        board.add(build.text(f"text {number}.", instance="sales"))
    board.add(build.receipt("3EB0", instance="sales"))

    text = Page(board._repr_html_()).text

    assert "salesmessages.upsert33.0" in text
    assert text.index("messages.upsert3") < text.index("messages.update1")
    assert [f"text {number}." in text for number in range(3)] == [False, False, True]
    assert repr(board) == "new, 4 events, 0 dropped"


def test_rates_are_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer ago is in the total alone."""
    board = Board(make_client("http://127.0.0.1:1"), 0)
    board.add(build.text("Oi", instance="sales"))
    (began, _), key = board._recent[0], ("sales", "messages.upsert")

    assert board.rates(began + 9) == {key: 1}
    assert board.rates(began + 11) == {}


def test_board_shows_what_is_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Namespaces that bring nothing are named, with the server's words as text."""
    told = {"/": NamespaceState.JOINED, "/a": NamespaceState.PENDING, "/b": HOSTILE}
    monkeypatch.setattr(Client, "namespaces", property(lambda _: told))

    text = Page(Board(make_client("http://127.0.0.1:1"), 1)._repr_html_()).text

    assert "/a pending" in text
    assert f"/b {HOSTILE}" in text
    assert "/ joined" not in text


def test_loading_twice(shell: Any) -> None:
    """The extension is loaded once however often that is asked for, and can be unloaded."""
    callbacks = shell.events.callbacks["post_run_cell"]
    load_ipython_extension(shell)
    loaded = len(callbacks)
    unload_ipython_extension(shell)
    unload_ipython_extension(shell)

    assert loaded - len(callbacks) == 1


def test_shown_client_is_not_kept(shell: Any) -> None:
    """What a cell returned is in no variable of IPython's when it is a client."""
    make = "from evolution_ws import Client\nclient = Client('http://127.0.0.1:1')"
    shell.run_cell(make)
    with capture_output():
        shell.run_cell("client", store_history=True)
        shell.run_cell("client.state", store_history=True)
        result = shell.run_cell("41 + 1", store_history=True)

    kept = [name for name, item in shell.user_ns.items() if item is shell.user_ns["client"]]
    assert kept == ["client"]
    assert shell.user_ns["client"] not in list(shell.user_ns["Out"].values())
    assert shell.user_ns["Out"][result.execution_count] == 42


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [
        pytest.param("KeyboardInterrupt", False, id="interrupt"),
        pytest.param("ValueError", True, id="mistake"),
    ],
)
def test_frames_of_an_error(shell: Any, error: str, is_kept: bool) -> None:
    """After an interrupt no variable is held; after a mistake those of the user's functions are."""
    cell = (
        "from evolution_ws import Client\n"
        "import gc, sys, weakref\n"
        "def predicate(event):\n"
        f"    raise {error}\n"
        "def look():\n"
        "    local = Client('http://127.0.0.1:1')\n"
        "    seen.append(weakref.ref(local))\n"
        "    evolution_ws.notebook.to_records(map(predicate, [0]))\n"
        "import evolution_ws.notebook\n"
        "seen = []\n"
        "look()\n"
    )
    with capture_output():
        shell.run_cell(cell)
        shell.run_cell("gc.collect()")

    assert (shell.user_ns["seen"][0]() is not None) is is_kept
