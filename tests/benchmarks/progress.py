"""One line on the terminal that says how far the run is."""

from __future__ import annotations

import sys


def progress(text: str) -> None:
    """Replace the line on a terminal; an empty text takes it away. Pipes get nothing."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
