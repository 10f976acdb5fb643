"""``evolution-ws inbox``: the state of a durable inbox."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import attrs

from ..inbox import StoreState, inspect
from ._arguments import Arguments, Commands, add_command
from ._codes import ExitCode
from ._output import Output, escaped


_EXAMPLES = """  evolution-ws inbox inbox.db
  evolution-ws inbox inbox.db --json | jq .streams.inbox.events"""


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "inbox",
        run,
        "show what waits in a durable inbox",
        _EXAMPLES,
        "Only looks, also while a client uses the file.",
    )
    parser.add_argument("file", help="the file that a client was given as durable")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: Arguments) -> int:
    """Run the command."""
    state = inspect(args.file)
    output = Output()
    if args.json:
        output.json(json.dumps(attrs.asdict(state), default=datetime.isoformat))
    else:
        for name, text in _facts(state, datetime.now(timezone.utc)):
            output.line(f"{output.styled(f'{escaped(name):<16}', 'bold')}{escaped(text)}")
    return ExitCode.OK


def _facts(state: StoreState, now: datetime) -> list[tuple[str, str]]:
    user = {None: "nobody", 0: "a process"}.get(state.used_by, f"process {state.used_by}")
    found = [("file", f"{state.path}, {_size(state.file_size)}"), ("used by", user)]
    for name, stream in state.streams.items():
        oldest = "" if stream.oldest is None else f", the oldest {_ago(stream.oldest, now)}"
        found.append((name, f"{stream.events} event(s), {_size(stream.size)}{oldest}"))
    if state.origin is not None:
        found.append(("since", _time(state.origin)))
    for name, until in state.covered.items():
        what = "all instances" if name == "*" else name
        found.append(("received", f"{what} up to {_time(until)}, {_ago(until, now)}"))
    return found


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _time(when: datetime) -> str:
    return when.astimezone().isoformat(sep=" ", timespec="seconds")


def _ago(when: datetime, now: datetime) -> str:
    seconds = max(0, round((now - when).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"
