"""The demonstration, which needs no server."""

from __future__ import annotations

import time

import pytest

from evolution_ws.cli import demo
from evolution_ws.testing import build
from tests.cli.tools import Terminal, run


COUNT = len(build.samples())


def test_demo_shows_every_sample_and_ends_by_itself() -> None:
    """The demo prints the names of all events and ends with 0 within ten seconds."""
    started = time.monotonic()

    done = run("demo")

    assert done.code == 0
    assert time.monotonic() - started < 10
    for envelope in build.samples():
        assert str(envelope["event"]) in done.out
    assert f"{COUNT} of {COUNT} events arrived" in done.lines[-1]
    assert "emitted sendNode" in done.out
    assert done.err == ""
    assert "\x1b[" not in done.out


def test_demo_runs_a_callback_for_messages_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of the callback are as many as there are incoming messages."""
    monkeypatch.setattr(demo, "_PAUSE", 0)
    messages = [one for one in build.samples() if one["event"] == "messages.upsert"]

    done = run("demo")

    assert len(messages) == sum(line.startswith("  callback") for line in done.lines)


@pytest.mark.parametrize("no_color", ["", "1"], ids=["coloured", "plain"])
def test_demo_has_colours_on_a_terminal(no_color: str) -> None:
    """A terminal gets colours unless NO_COLOR is set."""
    with Terminal("demo", NO_COLOR=no_color) as terminal:
        shown = terminal.wait_for("an embedded server listens")

    assert ("\x1b[" in shown) is not bool(no_color)


def test_demo_fails_when_events_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that does not arrive makes the demo fail instead of hanging."""
    monkeypatch.setattr(demo, "_PATIENCE", 0.3)
    monkeypatch.setattr(demo, "_send", lambda server, envelopes: server.emit(envelopes[0]))

    done = run("demo")

    assert done.code == 1
    assert f"1 of {COUNT} events arrived" in done.lines[-1]
