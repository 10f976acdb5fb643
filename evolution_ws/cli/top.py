"""``evolution-ws top``: a live table of what arrives."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Protocol

from ..client import Client
from ..subscription import Subscription
from ._arguments import Arguments, Commands, add_command, add_server, count, positive, target_of
from ._board import Board, Row
from ._codes import ExitCode, Terminated
from ._logs import connected
from ._output import Output, escaped


_EXAMPLES = """  evolution-ws top --instance sales
  evolution-ws top --instance '*'                 # every instance of a server in global mode
  evolution-ws top --interval 5 --count 1         # once, for a script"""

_INTERVAL = 1.0


class Screen(Protocol):
    """Shows a head line and rows, again and again."""

    def show(self, head: list[str], rows: list[Row]) -> None:
        """Show them instead of what was shown before."""


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "top",
        run,
        "show a live table of rates, queue, drops and delay",
        _EXAMPLES,
        "The delay is from the server's clock to this machine's. Ctrl-C ends it.\n"
        "Needs rich (pip install evolution-ws[cli]) for the table, and does without.",
    )
    parser.set_defaults(is_calm=True)
    add_server(parser)
    parser.add_argument(
        "--interval", type=positive, default=_INTERVAL, metavar="SECONDS", help="refresh so often"
    )
    parser.add_argument("--count", type=count, metavar="N", help="end after N refreshes")


def run(args: Arguments) -> int:
    """Run the command."""
    client = target_of(args).client(queue_size=0, backfill=False)
    try:
        with client.subscribe() as stream, connected(client), _screen(Output()) as screen:
            _refresh(client, stream, screen, args)
    except Terminated:
        raise
    except KeyboardInterrupt:
        # The usual way to end it.
        return ExitCode.OK
    return ExitCode.OK


def _refresh(client: Client, stream: Subscription, screen: Screen, args: Arguments) -> None:
    board = Board()
    due = time.monotonic()
    board.start(due)
    shown = 0
    while args.count is None or shown < args.count:
        due += args.interval
        _gather(stream, board, due)
        screen.show(head_of(client, board), board.rows(time.monotonic()))
        shown += 1


def _gather(stream: Subscription, board: Board, until: float) -> None:
    while (left := until - time.monotonic()) > 0:
        try:
            board.add(stream.get(timeout=left), time.monotonic())
        except TimeoutError:
            return


def head_of(client: Client, board: Board) -> list[str]:
    """Return the words above the table."""
    stats = client.stats
    since = stats.connected_since
    up = "" if since is None else f" for {_span(datetime.now(timezone.utc), since)}"
    median, most = board.delay(0.5), board.delay(0.95)
    delay = "-" if median is None or most is None else f"{_ms(median)}, 95 % below {_ms(most)}"
    pending = [
        name for name, state in client.namespaces.items() if getattr(state, "value", "") != "joined"
    ]
    words = [
        f"{client.state.value}{up}",
        f"{stats.received} received",
        f"{stats.queue_events} queued",
        f"{stats.dropped} dropped",
        f"{stats.reconnects} reconnects",
        f"delay {delay}",
    ]
    return words + ([f"not joined: {escaped(', '.join(pending))}"] if pending else [])


def _span(now: datetime, since: datetime) -> str:
    return str(now - since).partition(".")[0]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


@contextmanager
def _screen(output: Output) -> Iterator[Screen]:
    try:
        from ._rich_screen import RichScreen
    except ImportError:
        yield PlainScreen(output)
        return
    if not output.is_terminal:
        yield PlainScreen(output)
        return
    with RichScreen(output) as screen:
        yield screen


_ROWS = 20


class PlainScreen:
    """One block of lines after the other, for pipes and for want of rich."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def show(self, head: list[str], rows: list[Row]) -> None:
        """Write a block."""
        self._output.line(", ".join(head))
        for row in rows[:_ROWS]:
            name = f"{escaped(row.instance)}  {escaped(row.type)}"
            self._output.line(f"  {row.rate:8.1f}/s {row.total:9d}  {name}")
