"""Sending a text on the command line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest

from evolution_ws.testing import FakeEvolutionServer
from tests.cli.tools import run


NUMBER = "5511900000001"


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Run a server on which one number is not on WhatsApp."""
    with FakeEvolutionServer(instances=("sales",)) as server:
        server.not_on_whatsapp.add("5511900000009")
        yield server


def sent(server: FakeEvolutionServer) -> dict[str, object]:
    """Return the body of the call that sent."""
    [body] = [one.json for one in server.requests if one.path.startswith("/message/sendText")]
    assert isinstance(body, dict)
    return body


def test_send_prints_the_id(server: FakeEvolutionServer) -> None:
    """The text is sent, and the id of the message is the only output."""
    done = run("send", "--url", server.url, "-i", "sales", NUMBER, "Oi!", "--delay", "0.5")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("3EB0")
    assert (NUMBER, "Oi!", 500) == tuple(sent(server)[name] for name in ("number", "text", "delay"))


def test_send_reads_standard_input(
    server: FakeEvolutionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dash reads the text, --json prints the whole answer, --quote names a message."""
    monkeypatch.setattr("sys.stdin", io.StringIO("Bom\ndia\n"))

    done = run(
        "send", "--url", server.url, "-i", "sales", NUMBER, "-", "--json", "--quote", "3EB0AA"
    )

    assert json.loads(done.out)["key"]["id"].startswith("3EB0")
    assert sent(server)["text"] == "Bom\ndia"
    assert "3EB0AA" in str(sent(server)["quoted"])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-i", "sales", "5511900000009", "Oi"], 1, "HTTP 400"),
        (["-i", "nobody", NUMBER, "Oi"], 1, "does not exist"),
        (["-i", "a,b", NUMBER, "Oi"], 2, "name one instance"),
        (["-i", "sales", NUMBER, ""], 2, "no text"),
    ],
    ids=["number", "instance", "two", "empty"],
)
def test_send_that_fails(
    server: FakeEvolutionServer, arguments: list[str], code: int, said: str
) -> None:
    """What went wrong is said, without the number and the text."""
    done = run("send", "--url", server.url, *arguments)

    assert (code, "") == (done.code, done.out)
    assert said in done.err
    assert NUMBER not in done.err


def test_send_with_a_wrong_key() -> None:
    """A key that REST refuses has its own exit code."""
    with FakeEvolutionServer(instances=("sales",), api_key="invented-key") as server:
        done = run("send", "--url", server.url, "-i", "sales", "--api-key", "wrong", NUMBER, "Oi")

    assert done.code == 3
