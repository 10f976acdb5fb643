"""Tests for :mod:`evolution_ws.markup`."""

from __future__ import annotations

import base64
import time
from datetime import datetime, timezone

import pytest

from evolution_ws.markup import Markup, badge, clock, element, frame, inline, note, table
from evolution_ws.testing import build

from .html_tools import HOSTILE, Page


PNG = build.image().message.media
GIF = b"GIF89a" + bytes(20)
OGG = b"OggS" + bytes(20)


def test_element() -> None:
    """Text and attributes are escaped, markup is not, and None is left out."""
    inner = element("b", "a < b")

    shown = element("div", inner, None, " & c", class_="x", title='say "hi"')

    expected = '<div class="x" title="say &quot;hi&quot;"><b>a &lt; b</b> &amp; c</div>'
    assert shown == expected


def test_element_without_content() -> None:
    """An element that cannot have content is not closed."""
    assert element("img", alt="") == '<img alt="">'


def test_sums_are_escaped() -> None:
    """Markup that was joined to text is text again, and does no harm."""
    assert element("p", Markup("<b>") + "<i>") == "<p>&lt;b&gt;&lt;i&gt;</p>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("half \ud83d a pair", "half ? a pair", id="surrogate"),
        pytest.param("a\x00b\x1bc", "a\ufffdb\ufffdc", id="controls"),
        pytest.param("a\n\tb", "a\n\tb", id="white space"),
    ],
)
def test_text_can_be_written(text: str, shown: str) -> None:
    """What no UTF-8 and no HTML can hold is replaced."""
    assert element("p", text).encode() == f"<p>{shown}</p>".encode()


def test_prices_are_no_formulas() -> None:
    """MathJax is told to leave the text alone, under both of its names for that."""
    assert 'class="tex2jax_ignore mathjax_ignore"' in frame("R$ 10 ou R$ 20")


def test_table() -> None:
    """Cells are escaped whether they are in the head, at the end or before it."""
    page = Page(table([(HOSTILE, HOSTILE), (note("a"), badge("b"))], (HOSTILE, "")))

    assert page.text == HOSTILE * 3 + "ab"


def test_table_without_rows() -> None:
    """A table may be empty."""
    assert Page(table([])).text == ""


def test_clock() -> None:
    """A moment is shown in this machine's time zone, with UTC as a hint."""
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)

    page = Page(clock(when))

    assert page.text == when.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    assert page.titles == ["2026-01-02 03:04:05+00:00"]


@pytest.mark.parametrize(
    ("zone", "when"),
    [
        pytest.param("West+5", datetime.min, id="first"),
        pytest.param("East-5", datetime.max, id="last"),
    ],
)
def test_clock_at_the_ends_of_time(
    zone: str, when: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A moment that this machine's time zone cannot express is shown as it is."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        shown = Page(clock(when.replace(tzinfo=timezone.utc))).text
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()

    assert shown == f"{when.isoformat(' ')}+00:00"


def test_clock_of_nothing() -> None:
    """A moment that is not known is a dash."""
    assert Page(clock(None)).text == "–"


@pytest.mark.parametrize(
    ("data", "mimetype"),
    [
        pytest.param(PNG.data if PNG else b"", "image/png", id="png"),
        pytest.param(b"\xff\xd8\xff\xe0" + bytes(20), "image/jpeg", id="jpeg"),
        pytest.param(GIF, "image/gif", id="gif"),
        pytest.param(b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp", id="webp"),
    ],
)
def test_inline_picture(data: bytes, mimetype: str) -> None:
    """A picture is in the element itself, under the type that its bytes tell."""
    shown = inline(data)

    encoded = base64.b64encode(data).decode()
    assert Page(shown or "").images == [f"data:{mimetype};base64,{encoded}"]


def test_inline_recording() -> None:
    """A voice message can be played."""
    assert len(Page(inline(OGG) or "").sounds) == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(None, id="nothing"),
        pytest.param(b"", id="empty"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", id="svg"),
        pytest.param(b"<html><script>alert(1)</script>", id="html"),
        pytest.param(b"%PDF-1.7", id="pdf"),
        pytest.param(GIF + bytes(4 * 1024 * 1024), id="too large"),
    ],
)
def test_not_inline(data: bytes | None) -> None:
    """What browsers might run, cannot show, or would be slow with, is left out."""
    assert inline(data) is None
