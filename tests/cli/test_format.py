"""The shapes in which events are written."""

from __future__ import annotations

import io
import json

import pytest

from evolution_ws import ConfigError, Event
from evolution_ws.cli._format import event_writer, text_line
from evolution_ws.cli._output import Output
from evolution_ws.testing import build


def written(spec: str, event: Event) -> str:
    """Return what a writer makes of *event*."""
    stream = io.StringIO()
    event_writer(spec, Output(stream))(event)
    return stream.getvalue()


def test_auto_is_json_in_a_pipe() -> None:
    """Without a terminal events are JSON that can be read back."""
    event = build.text("Oi")

    assert event == Event.from_dict(json.loads(written("auto", event)))
    assert written("auto", event) == written("json", event)


def test_text() -> None:
    """The line for people has time, instance, name and words."""
    event = build.text("Oi", instance="sales", push_name="Ana")

    line = written("text", event).rstrip("\n")

    assert line.endswith("sales  messages.upsert  Ana: Oi")
    assert line == text_line(event, Output(io.StringIO()))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{instance}/{type}", "sales/messages.upsert"),
        ("{message.push_name:>5}|", "  Ana|"),
        ("{data[pushName]}", "Ana"),
        ("{data[nothing]}-{message.nothing}-{status}", "--"),
        ("{{{message.text}}}", "{Oi}"),
        ("{message.media}", ""),
        ("{received_at:%Y}", None),
    ],
    ids=["names", "width", "data", "missing", "braces", "none", "time"],
)
def test_template(template: str, expected: str | None) -> None:
    """Fields of an event fill a template; what is not there is empty."""
    event = build.text("Oi", instance="sales", push_name="Ana")
    wanted = str(event.received_at.year) if expected is None else expected

    assert f"{wanted}\n" == written(template, event)


@pytest.mark.parametrize(
    "template",
    [
        "{",
        "nothing in braces",
        "{nothing}",
        "{api_key}",
        "{data.__class__}",
        "{_envelope}",
        "{message._key}",
        "{to_dict}",
    ],
)
def test_template_that_cannot_be_used(template: str) -> None:
    """What cannot or must not be shown is refused at once."""
    with pytest.raises(ConfigError, match="--format"):
        event_writer(template, Output(io.StringIO()))


def test_template_that_does_not_fit() -> None:
    """A format that a value does not know is the user's mistake, and said so."""
    with pytest.raises(ConfigError, match="cannot be used"):
        written("{type:%d:x}", build.text("Oi"))
