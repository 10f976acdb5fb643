"""``flask evolution listen``."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


pytest.importorskip("flask")

from click.testing import Result
from flask import Flask

from evolution_ws import Event
from evolution_ws.integrations.flask import (
    EvolutionWS,
)
from evolution_ws.testing import FakeEvolutionServer, build
from tests.helpers import in_thread, wait_until
from tests.integrations.web_processes import (
    EXAMPLES,
    free_port,
    python,
    started,
    streaming,
    wait_for_site,
)
from tests.integrations.web_tools import next_event, next_state, parse_frames


def stop(event: object) -> None:
    """End the command as a supervisor does."""
    os.kill(os.getpid(), signal.SIGTERM)


def listen(
    app: Flask, server: FakeEvolutionServer, act: Callable[[], object], *arguments: str
) -> Result:
    """Run the command, with *act* once it is connected."""

    def act_then_see() -> None:
        server.wait_for_client("sales")
        act()

    task = in_thread(act_then_see)
    result = app.test_cli_runner().invoke(args=["evolution", "listen", *arguments])
    task.result()
    return result


def test_command_runs_callbacks_until_sigterm(
    app: Flask, evolution: EvolutionWS, server: FakeEvolutionServer
) -> None:
    """Events reach the callbacks, the status is told, and the end is a normal one."""
    seen: list[str] = []

    @evolution.on("messages.upsert")
    def receive(event: Any) -> None:
        seen.append(event.message.text)
        stop(event)

    result = listen(app, server, lambda: server.emit(build.text("Oi", instance="sales")))

    assert seen == ["Oi"]
    assert result.exit_code == 0
    assert "stopped: 1 events handled, 0 failures" in result.output


@pytest.mark.parametrize(
    ("config", "arguments"),
    [("call", []), (["call"], []), ((), ["--event", "CALL"])],
    ids=["name", "list", "option"],
)
def test_command_handles_chosen_events(
    config: Any,
    arguments: list[str],
    app: Flask,
    evolution: EvolutionWS,
    server: FakeEvolutionServer,
) -> None:
    """The configuration or the option says which; --quiet says nothing."""
    app.config["EVOLUTION_EVENTS"] = config
    seen: list[str] = []

    @evolution.on()
    def receive(event: Event) -> None:
        seen.append(event.type)
        stop(event)

    def act() -> None:
        server.emit(build.text("Oi", instance="sales"))
        server.emit(build.call(instance="sales"))

    result = listen(app, server, act, "--quiet", *arguments)

    assert seen == ["call"]
    assert result.output == ""


def test_command_exits_on_error_when_told(
    app: Flask, evolution: EvolutionWS, server: FakeEvolutionServer
) -> None:
    """A callback that fails ends it with 70."""

    @evolution.on()
    def fail(event: Event) -> None:
        raise LookupError

    act = lambda: server.emit(build.call(instance="sales"))  # noqa: E731 - short and local
    result = listen(app, server, act, "--exit-on-error")

    assert result.exit_code == 70
    assert "HandlerFailed: a handler failed for call" in result.output


def test_command_keeps_a_durable_inbox(
    app: Flask, evolution: EvolutionWS, server: FakeEvolutionServer, tmp_path: Path
) -> None:
    """The option makes the file."""
    evolution.on()(stop)
    file = tmp_path / "inbox.db"
    act = lambda: server.emit(build.call(instance="sales"))  # noqa: E731 - short and local
    result = listen(app, server, act, "--durable", str(file))

    assert result.exit_code == 0
    assert file.exists()


def test_refused_key_ends_the_command_with_77(app: Flask, server: FakeEvolutionServer) -> None:
    """The key itself is not shown."""
    server.api_key = "right"
    app.config["EVOLUTION_API_KEY"] = "wrong-key"
    result = app.test_cli_runner().invoke(args=["evolution", "listen"])

    assert result.exit_code == 77
    assert "wrong-key" not in result.output


def test_listener_is_gone_after_the_command(
    app: Flask, evolution: EvolutionWS, server: FakeEvolutionServer
) -> None:
    """The command closes its connection."""
    evolution.on()(stop)
    listen(app, server, lambda: server.emit(build.call(instance="sales")))

    wait_until(lambda: server.clients == [])


def test_debug_mode_connects_once(server: FakeEvolutionServer) -> None:
    """With the reloader there are two processes: none connects before a page asks, then one."""
    port = free_port()
    environ = {"EVOLUTION_URL": server.url, "EVOLUTION_INSTANCE": "sales"}
    command = python("-m", "flask", "--app", "app", "--debug", "run", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    with started(command, EXAMPLES / "flask_live", environ) as process:
        wait_for_site(url, process)
        before = len(server.clients)
        with streaming(url + "/events") as chunks:
            frames = parse_frames(chunks)
            next_state(frames, "open")
            server.emit(build.text("Bom dia", instance="sales"))
            shown = next_event(frames)
            during = len(server.clients)

    assert "Debugger is active" in process.output
    assert (before, during) == (0, 1)
    assert shown.data["text"] == "Bom dia"
