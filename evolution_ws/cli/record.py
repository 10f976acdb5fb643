"""``evolution-ws record``: write events to a file that can be replayed."""

from __future__ import annotations

from ..exceptions import ConfigError
from ._arguments import Arguments, Commands, add_command, add_server, target_of
from ._codes import ExitCode
from ._output import Output
from ._recording import Recorder
from .listen import add_selection, received


_EXAMPLES = """  evolution-ws record events.ndjson
  evolution-ws record bug.ndjson.gz --events messages.upsert --limit 100
  evolution-ws record - --timeout 60 | jq .type"""


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "record",
        run,
        "write events to a file, to be replayed",
        _EXAMPLES,
        "One JSON object a line; a name that ends in .gz is compressed. The file holds messages\n"
        "of people and no api key; only you may read it. Ctrl-C ends the recording.",
    )
    parser.add_argument("file", help="where to write; - is standard output")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--append", action="store_true", help="go on at the end of the file")
    how.add_argument("--force", action="store_true", help="overwrite the file")
    add_selection(parser)
    add_server(parser)


def run(args: Arguments) -> int:
    """Run the command."""
    target = target_of(args)
    if args.file == "-" and (args.append or args.force):
        raise ConfigError("--append and --force need a file")
    count = 0
    with Recorder(args.file, append=args.append, overwrite=args.force) as recorder:
        try:
            for event in received(target, args, {}):
                recorder.write(event)
                count += 1
        finally:
            if args.file != "-":
                Output().line(f"{count} event(s) in {args.file}")
    return ExitCode.FAILED if args.limit is not None and count < args.limit else ExitCode.OK
