"""Choosing a command, and how commands end."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from evolution_ws import AuthenticationError, ConfigError, ConnectError, ConnectionLost
from evolution_ws.cli import main
from evolution_ws.cli._codes import code_of
from evolution_ws.exceptions import ApiError, NotConnectedError, WebsocketDisabledError
from tests.cli.tools import COMMAND, ROOT, environment, in_background, run


NAMES = [
    "demo",
    "doctor",
    "listen",
    "send",
    "settings",
    "emit",
    "top",
    "record",
    "replay",
    "serve",
    "completion",
]


def test_help_names_every_command() -> None:
    """--help lists the commands, the environment and the exit codes."""
    done = run("--help")

    assert done.code == 0
    for name in [*NAMES, "EVOLUTION_URL", "exit codes", "130"]:
        assert name in done.out


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_with_examples(name: str) -> None:
    """The help of a command has examples of it."""
    done = run(name, "--help")

    assert done.code == 0
    assert "examples:" in done.out
    assert f"evolution-ws {name}" in done.out.partition("examples:")[2]


@pytest.mark.parametrize(
    "argv", [[], ["nothing"], ["listen", "--nothing"]], ids=["none", "unknown", "option"]
)
def test_usage_errors(argv: list[str]) -> None:
    """What cannot be understood ends with 2 and a word about it."""
    done = run(*argv)

    assert (done.code, done.out) == (2, "")
    assert "usage: evolution-ws" in done.err


def test_version() -> None:
    """--version tells it."""
    assert run("--version").out.startswith("evolution-ws ")


def test_runs_as_a_module() -> None:
    """``python -m evolution_ws.cli`` is the same command."""
    done = subprocess.run(
        [*COMMAND, "--version"], capture_output=True, text=True, cwd=ROOT, env=environment()
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("evolution-ws ")


def test_a_url_is_needed() -> None:
    """Without a URL the way to give one is told."""
    done = run("listen")

    assert done.code == 2
    assert "EVOLUTION_URL" in done.err


@pytest.mark.parametrize(
    ("exc", "code"),
    [
        (ConfigError("x"), 2),
        (AuthenticationError("x"), 3),
        (ApiError(401), 3),
        (ConnectError("x"), 4),
        (WebsocketDisabledError("x"), 4),
        (ConnectionLost("x"), 4),
        (ApiError(0), 4),
        (ApiError(500), 1),
        (NotConnectedError("x"), 1),
        (TimeoutError("x"), 1),
        (OSError("x"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_exit_codes(exc: Exception, code: int) -> None:
    """Each kind of failure has its own exit code."""
    assert code == code_of(exc)


def test_runs_in_any_thread() -> None:
    """Outside of the main thread signals are left alone."""
    with in_background("--version") as plain, in_background("listen", "--url", "ftp://x") as failed:
        assert threading.current_thread() is threading.main_thread()

    assert (plain[0].code, failed[0].code) == (0, 2)


def test_the_interrupted_command_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in any command becomes 130."""

    def interrupt(args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("evolution_ws.cli.demo.run", interrupt)

    assert main(["demo"]) == 130


def test_only_what_runs_is_imported() -> None:
    """The command line starts without rich, Django, Flask and Celery."""
    heavy = ["rich", "django", "flask", "celery", "IPython", "shtab"]
    code = f"import sys, evolution_ws.cli; print([n for n in {heavy} if n in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)

    assert done.stdout.strip() == "[]", done.stderr
