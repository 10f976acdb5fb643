"""
HTML for notebooks, in which nothing that a stranger wrote can be anything but text.

:func:`element` escapes all that it is given but what :func:`element` made itself. Styles are
written into the elements, since frontends drop style sheets; colours are transparent ones, which
suit light and dark themes alike.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from datetime import datetime


__all__ = ["Markup", "badge", "clock", "element", "frame", "inline", "note", "table"]

# Larger files would swell the notebook that they are stored in.
_MOST_INLINE = 4 * 1024 * 1024

# What a browser shows and cannot run; told by the bytes, because senders choose the mimetype.
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"OggS", "audio/ogg"),
)

# "R$ 10 ou R$ 20" is no formula: both names under which MathJax leaves an element alone.
_NO_MATHS = "tex2jax_ignore mathjax_ignore"

_PLAIN = "text-align:left;vertical-align:top;padding:.2em .8em .2em 0;background:transparent;"
_CELL = f"{_PLAIN}white-space:nowrap;"
_LAST_CELL = f"{_PLAIN}white-space:pre-wrap;overflow-wrap:anywhere;"


class Markup(str):
    """Text that is HTML already, and is not escaped again."""

    __slots__ = ()


def element(name: str, *content: str | None, **attributes: str) -> Markup:
    """
    Return an element with that content.

    Args:
        name:
            Its tag.
        content:
            :class:`Markup` is taken as it is, any other text is escaped, None is left out.
        attributes:
            Their values are escaped; ``class_`` stands for class.
    """
    written = "".join(f' {key.rstrip("_")}="{_escaped(text)}"' for key, text in attributes.items())
    inside = "".join(
        part if isinstance(part, Markup) else _escaped(part) for part in content if part is not None
    )
    return Markup(f"<{name}{written}>" if name in _VOID else f"<{name}{written}>{inside}</{name}>")


_VOID = frozenset({"br", "img"})


def _escaped(text: str) -> str:
    # Half a surrogate pair cannot be written as UTF-8, and control characters are no HTML.
    whole = text.encode("utf-8", "replace").decode("utf-8")
    kept = "".join(char if char >= " " or char in "\n\t" else "\ufffd" for char in whole)
    return html.escape(kept)


def frame(*content: str | None, width: str = "64em") -> Markup:
    """Return the outermost element, in which formulas are left as they are written."""
    return element("div", *content, class_=_NO_MATHS, style=f"max-width:{width};line-height:1.4;")


def note(*content: str | None) -> Markup:
    """Return words that stand back behind others."""
    return element("span", *content, style="opacity:.65;font-size:90%;")


def badge(text: str, color: str = "128,128,128") -> Markup:
    """Return a word on a coloured ground; *color* is red, green and blue from 0 to 255."""
    style = f"background:rgba({color},.25);border-radius:.6em;padding:.1em .6em;font-size:90%;"
    return element("span", text, style=style)


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> Markup:
    """Return a table of cells, each a text or markup; the last column takes the long texts."""
    names = [element("th", name, style=f"{_CELL}opacity:.65;") for name in head]
    lines = [element("tr", *names)] if names else []
    for row in rows:
        cells = [element("td", cell, style=_CELL, dir="auto") for cell in row[:-1]]
        cells.append(element("td", row[-1], style=_LAST_CELL, dir="auto"))
        lines.append(element("tr", *cells))
    return element("table", *lines, style="border:none;margin:.3em 0;")


def clock(when: datetime | None, form: str = "%Y-%m-%d %H:%M:%S") -> Markup:
    """Return a moment in this machine's time zone, with that in UTC as a hint; ``–`` for None."""
    if when is None:
        return element("span", "–")
    try:
        shown = when.astimezone().strftime(form)
    except (OverflowError, ValueError):  # at either end of the calendar
        shown = when.isoformat(" ")
    return element("span", shown, title=when.isoformat(" "))


def inline(data: bytes | None) -> Markup | None:
    """
    Return a picture or recording as an element that holds the file itself.

    Args:
        data:
            The file.

    Returns:
        None for what is no picture that browsers show, no recording, or over 4 MiB.
    """
    if data is None or len(data) > _MOST_INLINE:
        return None
    for start, signature, mimetype in _SIGNATURES:
        if data[start : start + len(signature)] == signature:
            source = f"data:{mimetype};base64,{base64.b64encode(data).decode('ascii')}"
            if mimetype.startswith("audio/"):
                return element("audio", controls="", src=source)
            style = "max-width:100%;max-height:20em;border-radius:.4em;display:block;"
            return element("img", src=source, alt="", style=style)
    return None
