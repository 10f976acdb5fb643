"""Events about an instance itself."""

from __future__ import annotations

import io
from typing import Any

import pytest

from .samples import data_event, load_event


def test_qrcode_limit() -> None:
    """When nobody scans in time the event says so and has no code."""
    limit = {"message": "QR code limit reached, please login again", "statusCode": 500}
    event = data_event("qrcode.updated", limit)

    assert event.limit_reached
    assert (event.code, event.pairing_code, event.image) == (None, None, None)
    for draw in (event.render, lambda: event.save("unused")):
        with pytest.raises(ValueError, match="carries no QR code"):
            draw()


def test_qrcode_save(tmp_path: Any) -> None:
    """The picture of the code can be written."""
    event: Any = load_event("qrcode.updated")

    assert event.save(tmp_path / "code.png").read_bytes() == event.image


def test_qrcode_render() -> None:
    """The code is drawn with characters, big enough for what it says."""
    event: Any = load_event("qrcode.updated")

    lines = event.render().splitlines()

    assert len(lines) > 20
    assert {len(line) for line in lines} == {len(lines[0])}


def test_qrcode_render_without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library that draws, the error names it, and a display goes on without."""
    monkeypatch.setitem(__import__("sys").modules, "segno", None)
    event: Any = load_event("qrcode.updated")

    with pytest.raises(ValueError, match="pip install segno"):
        event.render()
    assert displayed(event) == repr(event)


def displayed(event: Any) -> str:
    """Return what IPython prints for *event*."""

    class Printer:
        def __init__(self) -> None:
            self.out = io.StringIO()
            self.text = self.out.write

    printer = Printer()
    event._repr_pretty_(printer, False)
    return printer.out.getvalue()


def test_qrcode_display() -> None:
    """A notebook gets the picture, IPython the drawing, and neither is in the repr."""
    event: Any = load_event("qrcode.updated-pairing-code")

    assert event._repr_png_() == event.image
    assert event.render() in displayed(event)
    assert event.code not in repr(event)
    assert "WZYEH1YY" not in repr(event)


def test_secrets_of_a_bot_are_masked() -> None:
    """Secrets in parameters and variables are masked at every depth, hostile ones included."""
    deep: Any = {"apiKey": "k"}
    for _ in range(50):
        deep = {"inner": deep}
    parameters = {"list": [{"Api_Key": "k", "name": "n"}], "deep": deep, 1: 2}
    variables = [{"name": "token", "value": "k"}, {"name": 1}, None]
    event = data_event(
        "typebot.change-status", {"session": {"parameters": parameters}, "variables": variables}
    )

    assert event.parameters["list"] == [{"Api_Key": "***", "name": "n"}]
    assert "'k'" not in repr(event.parameters)
    assert event.variables == {"token": "***"}
