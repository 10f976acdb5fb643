"""One line of plain words for each kind of event."""

from __future__ import annotations

import pytest

from evolution_ws import Event
from evolution_ws.cli._describe import describe
from evolution_ws.testing import build
from tests.samples import NAMES, load_event


ANA = "5511900000001"
GROUP = "120363000000000001@g.us"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (build.text("Oi\nlá", push_name="Ana"), "Ana: Oi\\nlá"),
        (build.text("Oi", sent=True, sender=ANA), "me in"),
        (build.image("Foto", push_name="Ana"), "Ana: [image] Foto"),
        (build.receipt("A1"), f"A1 to {ANA} is READ"),
        (build.edit("Tchau", "A1"), f"A1 in {ANA} now says: Tchau"),
        (build.deletion("A1"), f"A1 in {ANA} was deleted"),
        (build.history([build.text("Oi")], progress=50), "1 messages of the history, 50 %"),
        (build.history([]), "0 messages of the history"),
        (build.connection("open"), "WhatsApp is open"),
        (build.connection("close", 401), "WhatsApp is close (401)"),
        (build.qrcode(), "a code to scan"),
        (build.qrcode(None), "nobody scanned the code in time"),
        (build.presence("composing"), f"{ANA} is composing"),
        (Event("presence.update", "demo", {}), "{}"),
        (build.contacts({ANA: "Ana"}), "1 contact(s): Ana"),
        (build.group_change("add", [ANA]), f"add {ANA} in {GROUP}"),
        (build.call(), f"call from {ANA}: offer"),
        (Event("nothing.known", "demo", {"a": b"\x00"}), '{"a":{"$bytes":"AA=="}}'),
        (Event("nothing.known", "demo", "x" * 500), "x…"),
        (build.text("Oi").replace(replayed=True), "(replayed)"),
    ],
    ids=lambda value: value.type if isinstance(value, Event) else "",
)
def test_describe(event: Event, words: str) -> None:
    """The line says what happened."""
    assert words in describe(event)


def test_describe_takes_every_sample() -> None:
    """Whatever servers have been seen to send becomes one safe line with words in it."""
    for name in NAMES:
        line = describe(load_event(name))

        assert line.strip()
        assert line.isprintable(), line
        assert len(line) < 300


def test_describe_hides_the_code_to_scan() -> None:
    """Whoever scans the code takes the account over: it is not written."""
    assert "2@invented" not in describe(build.qrcode("2@invented"))
