"""``evolution-ws replay``: let recorded events happen again."""

from __future__ import annotations

import importlib
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..events import Event
from ..exceptions import ConfigError
from ..testing import FakeEvolutionServer
from ._arguments import Arguments, Commands, add_command, add_key, key_of, not_negative, positive
from ._codes import ExitCode
from ._output import Output, escaped
from ._recording import read_events


_EXAMPLES = """  evolution-ws replay bug.ndjson.gz --handler shop.bot:on_event --speed 0
  evolution-ws replay events.ndjson --port 8080 --speed 10
  EVOLUTION_URL=http://127.0.0.1:8080 evolution-ws listen --instance sales"""

_PATIENCE = 60.0
# A client joins its namespaces one after the other, milliseconds apart.
_SETTLED = 0.3


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "replay",
        run,
        "let recorded events happen again",
        _EXAMPLES,
        "With --handler they are handed to a function of yours, whose failures are shown and make\n"
        "the exit code 1. Without it an embedded server sends them to whoever connects.",
    )
    parser.add_argument("file", help="a recording; - is standard input")
    parser.add_argument(
        "--handler",
        metavar="MODULE:FUNCTION",
        help="call this with each event; modules are found from the current directory on",
    )
    parser.add_argument(
        "--speed",
        type=not_negative,
        default=1.0,
        metavar="FACTOR",
        help="1 is the original speed, 10 ten times as fast, 0 without pauses",
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port of the server; 0 takes a free one"
    )
    parser.add_argument(
        "--patience",
        type=positive,
        default=_PATIENCE,
        metavar="SECONDS",
        help="how long the server waits for its first client (60)",
    )
    add_key(parser)


def run(args: Arguments) -> int:
    """Run the command."""
    if args.handler is not None:
        return _call(_handler(args.handler), args)
    return _serve(args)


def _call(handler: Callable[[Event], Any], args: Arguments) -> int:
    count = failures = 0
    for event in paced(read_events(args.file), args.speed):
        count += 1
        try:
            handler(event)
        except Exception:
            failures += 1
            sys.stderr.write(f"event {count}, {escaped(repr(event))}:\n{traceback.format_exc()}")
    Output().line(f"{count} event(s), {failures} failure(s)")
    return ExitCode.FAILED if failures else ExitCode.OK


def _handler(name: str) -> Callable[[Event], Any]:
    module_name, _, path = name.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as exc:
        raise ConfigError(f"there is no handler {name!r} (MODULE:FUNCTION): {exc}") from None
    finally:
        sys.path.remove(os.getcwd())
    if not callable(found):
        raise ConfigError(f"{name!r} cannot be called")
    handler: Callable[[Event], Any] = found
    return handler


def _serve(args: Arguments) -> int:
    output = Output()
    # What a server needs to know beforehand, such as its instances, is in the whole file.
    events = list(read_events(args.file))
    if not events:
        raise ConfigError(f"there are no events in {args.file}")
    names = dict.fromkeys(event.instance for event in events)
    is_global = any(event.namespace == "/" for event in events)
    with FakeEvolutionServer(
        instances=tuple(names), port=args.port, api_key=key_of(args), global_events=is_global
    ) as server:
        output.line(server.url)
        for instance in server.instances.values():
            # Whatever was recorded passes, from servers of other versions as well.
            instance.set_websocket(True, {_setting(event.type) for event in events})
        _wait_for_listener(server, args.patience)
        for event in paced(events, args.speed):
            server.emit(event)
        server.flush()
    output.line(f"{len(events)} event(s) sent")
    return ExitCode.OK


def _setting(name: str) -> str:
    return re.sub("[.-]", "_", name).upper()


def _wait_for_listener(server: FakeEvolutionServer, patience: float) -> None:
    """Wait until somebody has joined all that it wants, as far as can be told from here."""
    server.wait_for_client(timeout=patience)
    joined = None
    while joined != (now := [client.namespaces for client in server.clients]):
        joined = now
        time.sleep(_SETTLED)


def paced(events: Iterable[Event], speed: float) -> Iterator[Event]:
    """
    Yield *events* at the pace at which they were received.

    Args:
        events:
            In the order in which to yield them.
        speed:
            How many times as fast; 0 makes no pauses.
    """
    first: Event | None = None
    started = time.monotonic()
    for event in events:
        first = first or event
        if speed:
            offset = (event.received_at - first.received_at).total_seconds() / speed
            time.sleep(max(0.0, started + offset - time.monotonic()))
        yield event
