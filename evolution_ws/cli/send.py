"""``evolution-ws send``: send a text message over REST."""

from __future__ import annotations

import json
import sys

from ..exceptions import ConfigError
from ._arguments import Arguments, Commands, add_command, add_server, not_negative, target_of
from ._codes import ExitCode
from ._output import Output, escaped


_EXAMPLES = """  evolution-ws send 5511900000001 'Bom dia!'
  echo 'Bom dia!' | evolution-ws send 5511900000001 -
  evolution-ws send 120363000000000001@g.us 'Reunião às 10h' --quote 3EB0C0FFEE"""


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "send",
        run,
        "send a text message",
        _EXAMPLES,
        "Goes over REST, and prints the id of the message. After a time-out it may have been sent.",
    )
    parser.add_argument("number", help="telephone number with country code, or address of a chat")
    parser.add_argument("text", help="what to say; - reads it from standard input")
    parser.add_argument("--quote", metavar="ID", help="id of the message that this answers")
    parser.add_argument(
        "--delay", type=not_negative, metavar="SECONDS", help="show 'typing' for so long first"
    )
    parser.add_argument("--json", action="store_true", help="print the server's whole answer")
    add_server(parser)


def run(args: Arguments) -> int:
    """Run the command."""
    target = target_of(args)
    text = sys.stdin.read().rstrip("\n") if args.text == "-" else args.text
    if not text:
        raise ConfigError("there is no text to send")
    with target.api() as api:
        sent = api.send_text(
            target.instance(), args.number, text, quoted=args.quote, delay=args.delay
        )
    output = Output()
    key = sent.get("key")
    if args.json:
        output.json(json.dumps(sent, ensure_ascii=False))
    else:
        output.line(escaped(str(key.get("id", "") if isinstance(key, dict) else "")))
    return ExitCode.OK
