"""Tests for :mod:`evolution_ws.notebook` in real kernels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from evolution_ws.testing import FakeEvolutionServer, build

from .helpers import wait_until
from .html_tools import Page
from .kernel_tools import Kernel, quiet


EXAMPLE = Path(__file__).parent.parent / "examples" / "notebook.ipynb"


@pytest.fixture(scope="module")
def notebook_server() -> Iterator[FakeEvolutionServer]:
    """Return a server for all kernels of this module."""
    with FakeEvolutionServer(instances=("sales",)) as server:
        yield server


@pytest.fixture(scope="module")
def kernel(notebook_server: FakeEvolutionServer) -> Iterator[Kernel]:
    """Return a kernel with the extension loaded."""
    with Kernel(notebook_server, "%load_ext evolution_ws.notebook") as started:
        yield started


@pytest.fixture(scope="module")
def plain_kernel(notebook_server: FakeEvolutionServer) -> Iterator[Kernel]:
    """Return a kernel whose user knows nothing of the extension."""
    with Kernel(notebook_server) as started:
        yield started


CONNECT = "client = Client.from_env().connect()\n"

# Its output tells that the connection stands, and with it that the next line is about to run.
CONNECTED = f"{CONNECT}print(client.state)\n"


def listeners(server: FakeEvolutionServer, count: int) -> Callable[[], bool]:
    """Return a condition: that many clients are there, and have joined the instance."""
    return lambda: (
        [set(client.namespaces) for client in server.clients] == [{"/", "/sales"}] * count
    )


@pytest.mark.parametrize(
    ("cell", "is_endless"),
    [
        pytest.param(CONNECT, False, id="connected"),
        pytest.param(f"{CONNECT}client", False, id="shown"),
        pytest.param(f"{CONNECT}client.subscribe()", False, id="subscription shown"),
        pytest.param(f"{CONNECT}client.on('*', callback=print)", False, id="callback"),
        pytest.param(f"{CONNECTED}for event in client.events(): pass", True, id="loop"),
        pytest.param(f"{CONNECTED}client.get()", True, id="get"),
        pytest.param(f"{CONNECTED}client.wait_for('call')", True, id="wait"),
        pytest.param(f"{CONNECT}notebook.live(client)", True, id="live"),
        pytest.param(f"{CONNECTED}notebook.table(client.events())", True, id="table"),
        pytest.param(
            "def listen():\n"
            "    client = Client.from_env().connect()\n"
            "    print(client.state)\n"
            "    for event in client.events(): pass\n"
            "listen()",
            True,
            id="function",
        ),
    ],
)
def test_restarted_cell_leaves_no_second_listener(
    cell: str, is_endless: bool, kernel: Kernel, notebook_server: FakeEvolutionServer
) -> None:
    """A cell that runs again, and was interrupted if need be, has one listener, then none."""
    for _ in range(3):
        kernel.run(cell, quiet() if is_endless else None)
        wait_until(lambda: len(notebook_server.clients) <= 1)
    kernel.run("client = None")

    wait_until(listeners(notebook_server, 0))


@pytest.mark.parametrize(
    ("cell", "is_endless"),
    [
        pytest.param(CONNECT, False, id="connected"),
        pytest.param(f"{CONNECTED}for event in client.events(): pass", True, id="loop"),
        pytest.param(f"{CONNECT}notebook.live(client)", True, id="live"),
    ],
)
def test_without_the_extension(
    cell: str, is_endless: bool, plain_kernel: Kernel, notebook_server: FakeEvolutionServer
) -> None:
    """The usual cells leave no second listener without the extension either."""
    for _ in range(3):
        plain_kernel.run(cell, quiet() if is_endless else None)
        wait_until(listeners(notebook_server, 1))
    plain_kernel.run("client = None")

    wait_until(listeners(notebook_server, 0))


def test_interrupted_client_is_usable(kernel: Kernel, notebook_server: FakeEvolutionServer) -> None:
    """After an interrupt the same client goes on, with the same connection and no event lost."""
    kernel.run(CONNECT)
    wait_until(listeners(notebook_server, 1))
    (first,) = notebook_server.clients
    for number in range(3):
        (_, error) = kernel.run("print(0)\nfor event in client.events(): pass", quiet())
        notebook_server.emit("messages.upsert", {"seq": number})

        assert error["ename"] == "KeyboardInterrupt"
        assert kernel.value("client.get(timeout=10).data") == f"{{'seq': {number}}}"

    assert [client.sid for client in notebook_server.clients] == [first.sid]
    kernel.run("client.close()")


def test_shown_without_an_import(
    plain_kernel: Kernel, notebook_server: FakeEvolutionServer
) -> None:
    """A client, its stats and an event at the end of a cell are HTML, with text beside it."""
    notebook_server.emit("messages.upsert", {})
    plain_kernel.run(CONNECT)
    wait_until(listeners(notebook_server, 1))
    notebook_server.emit(build.text("R$ 10 <b>", instance="sales"))

    shown = [
        plain_kernel.run(cell)[0] for cell in ("client.get(timeout=10)", "client", "client.stats")
    ]
    plain_kernel.run("client.close(); client = None; %reset -f out")

    texts = [Page(output["data"]["text/html"]).text for output in shown]
    words = ["R$ 10 <b>", "open", "received"]
    assert [word in text for word, text in zip(words, texts, strict=True)] == [True] * 3
    assert [set(output["data"]) for output in shown] == [{"text/plain", "text/html"}] * 3


def test_live_updates(kernel: Kernel, notebook_server: FakeEvolutionServer) -> None:
    """The table is put out once and then updated, and nothing is taken from the inbox."""
    sent: list[Any] = []
    kernel.run(CONNECT)

    def until(outputs: list[Any]) -> bool:
        if outputs and not sent:
            sent.extend(
                notebook_server.emit(build.text(f"text {number}.", instance="sales"))
                for number in range(5)
            )
        return len(sent) > 0 and "text 4." in outputs[-1]["data"]["text/html"]

    outputs = kernel.run("notebook.live(client, interval=0.3)", quiet(until))
    waiting = kernel.value("client.stats.queue_events")
    kernel.run("client.close()")

    first, *updates = outputs
    assert first["type"] == "display_data"
    assert {update["type"] for update in updates} == {"update_display_data"}
    last = Page(updates[-1]["data"]["text/html"]).text
    assert "text 4." in last
    assert "open" in last
    assert waiting == "5"


def read_example() -> Any:
    """Return the example."""
    return nbformat.reads(EXAMPLE.read_text(), as_version=4)  # type: ignore[no-untyped-call]


def test_example(server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example runs from top to bottom, with a table, a picture and a plot."""
    now = time.time()
    for number in range(40):
        people = {"sender": f"551190000000{number % 3}", "push_name": "ABC"[number % 3]}
        group = "120363000000000001@g.us" if number % 4 == 0 else None
        at = now - 2500 + 60 * number
        event = build.text(f"text {number}.", group=group, at=at, instance="sales", **people)
        server.emit(event)
    server.emit(build.image("Olha", at=now - 1, instance="sales"))
    monkeypatch.setenv("EVOLUTION_URL", server.url)
    monkeypatch.setenv("EVOLUTION_INSTANCE", "sales")
    monkeypatch.setenv("EVOLUTION_API_KEY", "any")
    example = read_example()

    NotebookClient(example, timeout=60, kernel_name="python3").execute()

    data = {
        cell.id: output["data"]
        for cell in example.cells
        for output in cell.get("outputs", ())
        if "data" in output
    }
    assert "open" in Page(data["connect"]["text/html"]).text
    assert "text 39." in Page(data["gather"]["text/html"]).text
    assert len(Page(data["one"]["text/html"]).images) == 1
    assert "image/png" in data["plot"]
    assert "open" in Page(data["live"]["text/html"]).text
    assert "replayed41" in Page(data["close"]["text/html"]).text


def test_example_is_stored_without_output() -> None:
    """What somebody ran is not in the file: it would hold their messages."""
    example = read_example()

    outputs = [cell.get("outputs", []) for cell in example.cells]

    assert [output for output in outputs if output] == []
