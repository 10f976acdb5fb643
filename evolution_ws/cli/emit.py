"""``evolution-ws emit``: send an event over the socket."""

from __future__ import annotations

import json
import sys
from typing import Any

from ..exceptions import ConfigError
from ._arguments import Arguments, Commands, add_command, add_server, positive, target_of
from ._codes import ExitCode
from ._logs import connected
from ._output import Output


_EXAMPLES = """  evolution-ws emit sendNode '{"instanceId": "sales", "stanza": {}}' --namespace /
  evolution-ws emit ping '{"n": 1}' --call 5     # waits for an acknowledgement"""


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "emit",
        run,
        "send an event over the socket",
        _EXAMPLES,
        "An Evolution server listens to sendNode on / alone, and acknowledges nothing; messages\n"
        "are sent with the command send.",
    )
    parser.add_argument("event", help="name of the event, as the server expects it")
    parser.add_argument("data", nargs="?", help="JSON; - reads it from standard input")
    parser.add_argument(
        "--namespace", metavar="NAME", help="the only instance's, else /, without it"
    )
    parser.add_argument(
        "--call",
        type=positive,
        metavar="SECONDS",
        help="wait so long for an acknowledgement, and print it",
    )
    add_server(parser)


def run(args: Arguments) -> int:
    """Run the command."""
    data = _data(args.data)
    with connected(target_of(args).client(queue_size=0, backfill=False)) as client:
        if args.call is None:
            client.emit(args.event, data, namespace=args.namespace)
        else:
            answer = client.call(args.event, data, namespace=args.namespace, timeout=args.call)
            Output().json(json.dumps(answer, ensure_ascii=False, default=repr))
    return ExitCode.OK


def _data(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as exc:
        raise ConfigError(f"the data is not JSON: {exc}") from None
