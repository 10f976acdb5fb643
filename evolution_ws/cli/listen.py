"""``evolution-ws listen``: write events as they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..events import Event
from ._arguments import (
    Arguments,
    Commands,
    Target,
    add_command,
    add_server,
    count,
    moment,
    not_negative,
    target_of,
)
from ._codes import ExitCode
from ._format import FORMAT_HELP, event_writer
from ._logs import connected
from ._output import Output


_EXAMPLES = """  evolution-ws listen --url https://api.example.com --instance sales
  evolution-ws listen --events messages.upsert | jq -r .data.pushName
  evolution-ws listen --events messages.upsert --format '{message.push_name}: {message.text}'
  evolution-ws listen --limit 1 --timeout 30      # fails unless an event comes in time
  evolution-ws listen --since 2h                  # the messages of two hours, then live ones
  evolution-ws listen --durable inbox.db          # goes on where it was stopped"""


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "listen",
        run,
        "write events as they arrive",
        _EXAMPLES,
        "One JSON object a line, or lines for people on a terminal. After a lost connection it\n"
        "reconnects by itself; news of the connection go to standard error.",
    )
    add_server(parser)
    add_selection(parser)
    parser.add_argument("--format", default="auto", metavar="FORMAT", help=FORMAT_HELP)
    parser.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="also the messages that the server has stored since then: a time, or 90s, 30m, 2h, 1d",
    )
    parser.add_argument(
        "--durable", metavar="FILE", help="keep events in this file until they are written"
    )


def add_selection(parser: Any) -> None:
    """Add the arguments that choose events."""
    parser.add_argument(
        "-e",
        "--events",
        action="append",
        default=[],
        metavar="NAMES",
        help="only these, in any spelling and with commas: messages.upsert, MESSAGES_UPSERT",
    )
    parser.add_argument("--limit", type=count, metavar="N", help="end after N events")
    parser.add_argument(
        "--timeout", type=not_negative, metavar="SECONDS", help="end when none came for so long"
    )


def run(args: Arguments) -> int:
    """Run the command."""
    write = event_writer(args.format, Output())
    options = {"since": args.since, "durable": args.durable}
    given = 0
    for event in received(target_of(args), args, options):
        write(event)
        given += 1
    # A script that waits for events wants to know whether they came.
    return ExitCode.FAILED if args.limit is not None and given < args.limit else ExitCode.OK


def received(target: Target, args: Arguments, options: dict[str, Any]) -> Iterator[Event]:
    """
    Yield the events that *args* select, connected for as long as that takes.

    Raises:
        EvolutionError: The first attempt to connect failed, or the connection did for good.
    """
    names = event_names(args.events)
    changes = {name: value for name, value in options.items() if value is not None}
    durable = changes.get("durable") or target.config.durable
    # Without an inbox, what is not wanted is not even decoded.
    client = target.client(**changes) if durable else target.client(**changes, queue_size=0)
    stream = client if durable else client.subscribe(*names)
    with connected(client):
        yield from stream.events(*names, timeout=args.timeout, limit=args.limit)


def event_names(given: list[str]) -> list[str]:
    """Return the names in *given*, which may hold commas."""
    return [name.strip() for text in given for name in text.split(",") if name.strip()]
