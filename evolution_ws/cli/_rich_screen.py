"""The live table of ``top``, drawn by rich."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ._board import Row
from ._output import Output, escaped


# Lines that the words above, the titles and the cursor may take.
_HEAD = 5


class RichScreen:
    """Redraws a table in place; a context manager."""

    def __init__(self, output: Output) -> None:
        console = Console(file=output.stream, no_color=not output.has_colours)
        self._live = Live(console=console, auto_refresh=False, transient=False)

    def show(self, head: list[str], rows: list[Row]) -> None:
        """Draw the table anew."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("instance", style="cyan")
        table.add_column("event", style="green")
        table.add_column("per second", justify="right")
        table.add_column("total", justify="right")
        # What does not fit would scroll the screen away with each refresh.
        for row in rows[: max(1, self._live.console.height - _HEAD)]:
            names = Text(escaped(row.instance)), Text(escaped(row.type))
            table.add_row(*names, f"{row.rate:.1f}", str(row.total))
        body = table if rows else Text("no events yet", style="dim")
        self._live.update(Group(Text("  ".join(head), style="bold"), body), refresh=True)

    def __enter__(self) -> RichScreen:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()
