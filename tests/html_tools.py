"""Reading HTML in tests the way a browser would: what is an element, what is text."""

from __future__ import annotations

from html.parser import HTMLParser


HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)><svg/onload=alert(1)>&lt;"

# What may be in the output of a cell, and with which attributes.
ALLOWED = {
    "a": {"href", "target", "rel"},
    "audio": {"controls", "src"},
    "b": {"title", "dir"},
    "div": {"class", "style", "dir", "title"},
    "img": {"src", "alt", "style"},
    "li": {"dir"},
    "pre": {"style"},
    "span": {"style", "title"},
    "table": {"style"},
    "td": {"style", "dir"},
    "th": {"style"},
    "tr": set[str](),
    "ul": set[str](),
}
_SOURCES = ("data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;")


class Page(HTMLParser):
    """
    Elements and text of a piece of HTML.

    Raises:
        AssertionError: An element, an attribute or an address is there that must not be, or an
            element is not closed.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text = ""
        self.images: list[str] = []
        self.sounds: list[str] = []
        self.links: list[str] = []
        self.titles: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Check an element."""
        assert tag in ALLOWED, f"<{tag}> is not allowed"
        told = {name: text or "" for name, text in attrs}
        assert set(told) <= ALLOWED[tag], f"<{tag} {' '.join(told)}> is not allowed"
        if tag == "img":
            assert told["src"].startswith(_SOURCES)
            self.images.append(told["src"])
            return
        if tag == "audio":
            assert told["src"].startswith("data:audio/ogg;")
            self.sounds.append(told["src"])
        if tag == "a":
            assert told["href"].startswith("https://www.openstreetmap.org/?mlat=")
            self.links.append(told["href"])
        self.titles.append(told.get("title", ""))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes what was opened last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note what a person reads."""
        self.text += data
