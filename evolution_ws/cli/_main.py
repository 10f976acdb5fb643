"""Choose the command, run it, and turn its end into an exit code."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from .._version import __version__
from ..exceptions import EvolutionError
from . import (
    completion,
    demo,
    doctor,
    emit,
    forward,
    inbox,
    listen,
    record,
    replay,
    send,
    serve,
    settings,
    top,
)
from ._arguments import CODES_HELP
from ._codes import ExitCode, Terminated, code_of
from ._logs import level_of, logs_shown
from ._output import Output, OutputClosed, escaped


# In the order of the help: first what a newcomer needs.
_COMMANDS = (
    demo,
    doctor,
    listen,
    send,
    settings,
    emit,
    top,
    record,
    replay,
    inbox,
    forward,
    serve,
    completion,
)

_EXAMPLES = f"""first steps:
  evolution-ws demo
  export EVOLUTION_URL=https://api.example.com EVOLUTION_INSTANCE=sales EVOLUTION_API_KEY=…
  evolution-ws doctor
  evolution-ws listen --events messages.upsert

environment:
  EVOLUTION_URL, EVOLUTION_INSTANCE, EVOLUTION_API_KEY and each setting of the client by
  name, such as EVOLUTION_CONNECT_TIMEOUT; arguments win.

{CODES_HELP}"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="evolution-ws",
        description="The events of an Evolution API server on the command line.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(root=parser)
    parser.add_argument("--version", action="version", version=f"evolution-ws {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in _COMMANDS:
        module.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    Args:
        argv:
            The arguments without the program's name; None takes those of the process.

    Returns:
        The exit code.

    Threads:
        Signals are heeded in the main thread only.
    """
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as exc:  # argparse has said what there is to say
        return exc.code if isinstance(exc.code, int) else ExitCode.USAGE
    level = level_of(args.verbose, args.quiet, getattr(args, "is_calm", False))
    with _sigterm_raises(), logs_shown(level):
        return int(_run(args))


def _run(args: argparse.Namespace) -> int:
    try:
        return int(args.run(args))
    except Terminated:
        return ExitCode.TERMINATED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except OutputClosed:
        _discard_output()
        return ExitCode.BROKEN_PIPE
    except (EvolutionError, TimeoutError, OSError) as exc:
        _complain(exc)
        return code_of(exc)


def _complain(exc: Exception) -> None:
    output = Output(sys.stderr)
    text = escaped(str(exc)) or type(exc).__name__
    output.line(f"{output.styled('evolution-ws:', 'bold', 'red')} {text}")


def _discard_output() -> None:
    """Let the interpreter flush what is left to nowhere, instead of complaining at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # standard output is no file
        pass


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
