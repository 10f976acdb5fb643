"""Where a command writes: lines that cannot drive a terminal, colours only on one."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from typing import TextIO


__all__ = ["Output", "OutputClosed", "escaped"]

# Control characters, and what turns the direction of writing or breaks lines: text of
# strangers must neither move the cursor nor disguise itself.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

_STYLES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}


class OutputClosed(Exception):
    """Whoever read the output has gone away."""


def escaped(text: str) -> str:
    """Return *text* as one line in which nothing acts on a terminal."""
    return _UNSAFE.sub(lambda found: _spelled(found.group()), text)


def _spelled(char: str) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char) or f"\\u{ord(char):04x}"


def _escaped_json(text: str) -> str:
    # All such characters stand inside of strings, where JSON has an escape for each.
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


class Output:
    """
    Writes lines to a stream, each at once.

    Args:
        stream:
            Where to write; None takes the process's standard output.
        environ:
            Where ``NO_COLOR`` and ``TERM`` are looked up; None takes the process's own.
    """

    def __init__(
        self, stream: TextIO | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        environ = os.environ if environ is None else environ
        self.stream = sys.stdout if stream is None else stream
        self.is_terminal = self.stream.isatty()
        self.has_colours = (
            self.is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        )
        # A stream without an encoding takes text as it is.
        encoding = self.stream.encoding or "utf-8"
        self._is_unicode = encoding.lower().replace("-", "") == "utf8"

    def line(self, text: str = "") -> None:
        """
        Write *text*, which is safe already, and a line break.

        Raises:
            OutputClosed: Nobody reads any more.
        """
        if not self._is_unicode:
            encoding = self.stream.encoding or "ascii"
            text = text.encode(encoding, "backslashreplace").decode(encoding)
        try:
            self.stream.write(text + "\n")
            self.stream.flush()
        except BrokenPipeError:
            raise OutputClosed from None

    def json(self, text: str) -> None:
        """Write one JSON document as one line, see :meth:`line`."""
        self.line(_escaped_json(text if self._is_unicode else json.dumps(json.loads(text))))

    def styled(self, text: str, *styles: str) -> str:
        """Return *text*, which is safe already, in colour where there are colours."""
        if not self.has_colours or not styles:
            return text
        codes = ";".join(_STYLES[style] for style in styles)
        return f"\x1b[{codes}m{text}\x1b[0m"
