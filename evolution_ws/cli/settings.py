"""``evolution-ws settings``: which events the server sends for an instance."""

from __future__ import annotations

import argparse
import json

from ..exceptions import ConfigError
from ..rest import WebsocketSettings
from ._arguments import Arguments, Commands, Target, add_command, add_server, target_of
from ._codes import ExitCode
from ._output import Output, escaped
from .listen import event_names


_EXAMPLES = """  evolution-ws settings get
  evolution-ws settings set --add messages.upsert call     # those, too
  evolution-ws settings set messages.upsert                # that alone
  evolution-ws settings set --all
  evolution-ws settings set --off"""


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "settings",
        help="show or change which events the server sends",
        epilog=f"examples:\n{_EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    summary = "show which events the server sends for an instance"
    add_server(_with_json(add_command(actions, "get", show, summary, _EXAMPLES)))
    changer = add_command(
        actions,
        "set",
        change,
        "change which events the server sends for an instance",
        _EXAMPLES,
        "Takes effect with the next event. groups.update cannot be selected: only the server's\n"
        "global mode delivers it.",
    )
    changer.add_argument("events", nargs="*", help="names in any spelling, with spaces or commas")
    how = changer.add_mutually_exclusive_group()
    how.add_argument("--add", action="store_true", help="keep what is selected already")
    how.add_argument("--all", action="store_true", help="select everything that the server knows")
    how.add_argument("--off", action="store_true", help="send nothing, and forget the list")
    add_server(_with_json(changer))


def _with_json(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def show(args: Arguments) -> int:
    """Show the settings of each instance that was named."""
    target = target_of(args)
    with target.api() as api:
        for name in _names(target):
            _print(args, name, api.get_websocket(name))
    return ExitCode.OK


def change(args: Arguments) -> int:
    """Change the settings of each instance that was named."""
    target = target_of(args)
    events = event_names(args.events)
    if bool(events) is (args.all or args.off):
        raise ConfigError("name events to select, or give --all or --off")
    with target.api() as api:
        for name in _names(target):
            if args.add:
                added = api.ensure_events(name, events)
                Output().line(f"{escaped(name)}: added {', '.join(added) or 'nothing'}")
            else:
                _print(args, name, api.set_websocket(name, events or None, enabled=not args.off))
    return ExitCode.OK


def _names(target: Target) -> tuple[str, ...]:
    names = target.named_instances()
    if names is None:
        raise ConfigError("name the instance with --instance or EVOLUTION_INSTANCE")
    return names


def _print(args: Arguments, name: str, found: WebsocketSettings | None) -> None:
    output = Output()
    if args.json:
        setting = found and {"enabled": found.enabled, "events": list(found.events)}
        output.json(json.dumps({"instance": name, "websocket": setting}, ensure_ascii=False))
        return
    state = "never set" if found is None else "on" if found.enabled else "off"
    output.line(f"{escaped(name)}: {output.styled(state, 'bold')}")
    for event in found.events if found is not None else ():
        output.line(f"  {escaped(event)}")
