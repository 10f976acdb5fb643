"""What reaches a terminal or a pipe."""

from __future__ import annotations

import io
import json

import pytest

from evolution_ws.cli._output import Output, OutputClosed, escaped


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """Return True."""
        return True


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Olá 👍🏽 👨‍👩‍👧", "Olá 👍🏽 👨‍👩‍👧"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b]0;x\x07", "\\u001b]0;x\\u0007"),
        ("\x9b2J", "\\u009b2J"),
        ("abc\u202edef\u2066", "abc\\u202edef\\u2066"),
        ("\ud800", "\\ud800"),
    ],
    ids=["plain", "lines", "escape", "c1", "direction", "surrogate"],
)
def test_escaped(text: str, safe: str) -> None:
    """Nothing that acts on a terminal is left, and nothing else is changed."""
    assert safe == escaped(text)


def test_json_stays_json() -> None:
    """Unsafe characters of a document become escapes that mean the same."""
    stream = Terminal()
    document = {"text": "a\u202eb\x9bc", "emoji": "👍"}

    Output(stream).json(json.dumps(document, ensure_ascii=False))

    assert document == json.loads(stream.getvalue())
    assert "\u202e" not in stream.getvalue()
    assert "👍" in stream.getvalue()


def test_other_encodings() -> None:
    """A stream that cannot write a character gets an escape for it, JSON stays JSON."""
    raw = io.BytesIO()
    output = Output(io.TextIOWrapper(raw, "ascii"))

    output.line("Olá 👍")
    output.json('{"text": "Olá 👍"}')

    plain, document = raw.getvalue().decode("ascii").splitlines()
    assert plain == "Ol\\xe1 \\U0001f44d"
    assert json.loads(document) == {"text": "Olá 👍"}


@pytest.mark.parametrize(
    ("stream", "environ", "has_colours"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
    ids=["terminal", "no-color", "empty", "dumb", "pipe"],
)
def test_colours(stream: io.StringIO, environ: dict[str, str], has_colours: bool) -> None:
    """There are colours on a terminal that wants them, and nowhere else."""
    output = Output(stream, environ)

    assert has_colours is ("\x1b[1;31m" in output.styled("x", "bold", "red"))
    assert output.styled("x") == "x"


def test_broken_pipe() -> None:
    """A reader that is gone is told from other errors."""

    class Broken(Terminal):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with pytest.raises(OutputClosed):
        Output(Broken()).line("x")
