"""Emitting on the command line."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from evolution_ws.testing import FakeEvolutionServer
from tests.cli.tools import run
from tests.node_server import NodeServer, require_node


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Run a server with one instance."""
    with FakeEvolutionServer(instances=("sales",)) as server:
        yield server


def test_emit_reaches_the_server(server: FakeEvolutionServer) -> None:
    """An event goes to the only instance's namespace, or to the one that was named."""
    first = run("emit", "--url", server.url, "-i", "sales", "ping", '{"n": 1}')
    second = run("emit", "--url", server.url, "-i", "sales", "ping", "--namespace", "/")
    received = server.wait_for_emit(2)

    assert (first.code, second.code) == (0, 0)
    assert [("/sales", "ping", [{"n": 1}]), ("/", "ping", [])] == [
        (one.namespace, one.name, one.args) for one in received
    ]


def test_emit_reads_standard_input(
    server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dash reads the data."""
    monkeypatch.setattr("sys.stdin", io.StringIO("[1, 2]"))

    run("emit", "--url", server.url, "-i", "sales", "ping", "-")

    assert server.wait_for_emit()[0].args == [[1, 2]]


def test_emit_prints_an_acknowledgement() -> None:
    """With --call the answer of a server that acknowledges is printed."""
    require_node()
    with NodeServer() as node:
        node.create_namespace("sales")
        node.acknowledge()
        done = run("emit", "--url", node.url, "-i", "sales", "ping", '{"n": 1}', "--call", "10")

    assert (done.code, done.out) == (0, '{"n": 1}\n')


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["ping", "{"], 2, "not JSON"),
        (["connect"], 2, "connect"),
        (["ping", "--namespace", "/other"], 1, "/other"),
        (["ping", "--call", "0.1"], 1, "acknowledge"),
    ],
    ids=["json", "reserved", "namespace", "call"],
)
def test_emit_that_fails(
    server: FakeEvolutionServer, arguments: list[str], code: int, said: str
) -> None:
    """What cannot be sent, or is not acknowledged, is said."""
    done = run("emit", "--url", server.url, "-i", "sales", *arguments)

    assert (code, "") == (done.code, done.out)
    assert said in done.err
