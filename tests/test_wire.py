"""Values as the three encodings write them."""

from __future__ import annotations

import pytest

from evolution_ws import _wire as wire

from .samples import utc


INTEGERS = [
    pytest.param(5, 5, id="number"),
    pytest.param(" 48213 ", 48213, id="digits"),
    pytest.param("-7", -7, id="negative-digits"),
    pytest.param(2.9, 2, id="float"),
    pytest.param({"low": 48213, "high": 0, "unsigned": True}, 48213, id="long"),
    pytest.param({"low": -279900656, "high": 410, "unsigned": False}, 1764951658000, id="low"),
    pytest.param({"low": -1, "high": -1, "unsigned": False}, -1, id="negative-long"),
    pytest.param({"low": -1, "high": -1, "unsigned": True}, 2**64 - 1, id="unsigned-long"),
    pytest.param({"low": "1", "high": 0}, None, id="broken-long"),
    pytest.param({}, None, id="empty-dict"),
    pytest.param(True, None, id="bool"),
    pytest.param(float("inf"), None, id="infinite"),
    pytest.param("12a", None, id="text"),
    pytest.param("9" * 5000, None, id="endless"),
    pytest.param("٣", None, id="other-digits"),
    pytest.param(None, None, id="none"),
    pytest.param([1], None, id="list"),
]


@pytest.mark.parametrize(("written", "meant"), INTEGERS)
def test_to_int(written: object, meant: int | None) -> None:
    """Integers are read from numbers, digits and Longs; nothing else is one."""
    assert meant == wire.to_int(written)


BYTES = [
    pytest.param(b"\x00\xff", b"\x00\xff", id="bytes"),
    pytest.param(bytearray(b"\x00\xff"), b"\x00\xff", id="bytearray"),
    pytest.param("AP8=", b"\x00\xff", id="base64"),
    pytest.param("AP8", b"\x00\xff", id="without-padding"),
    pytest.param("AP\n8=", b"\x00\xff", id="wrapped"),
    pytest.param("-_8=", b"\xfb\xff", id="url-safe"),
    pytest.param("data:image/png;base64,AP8=", b"\x00\xff", id="data-url"),
    pytest.param({"0": 0, "1": 255}, b"\x00\xff", id="index-dict"),
    pytest.param({"type": "Buffer", "data": [0, 255]}, b"\x00\xff", id="buffer"),
    pytest.param({}, b"", id="empty-dict"),
    pytest.param("", None, id="empty-text"),
    pytest.param("não", None, id="no-base64"),
    pytest.param("A", None, id="impossible-length"),
    pytest.param({"0": 0, "2": 1}, None, id="gap"),
    pytest.param({"0": 256}, None, id="no-byte"),
    pytest.param({"0": "x"}, None, id="no-number"),
    pytest.param({"type": "Buffer", "data": 5}, None, id="broken-buffer"),
    pytest.param(5, None, id="number"),
    pytest.param(None, None, id="none"),
]


@pytest.mark.parametrize(("written", "meant"), BYTES)
def test_to_bytes(written: object, meant: bytes | None) -> None:
    """Bytes are read from all their spellings; nothing else is bytes."""
    assert meant == wire.to_bytes(written)


MOMENTS = [
    pytest.param(1764950955, utc(2025, 12, 5, 16, 9, 15), id="seconds"),
    pytest.param("1764950955", utc(2025, 12, 5, 16, 9, 15), id="digits"),
    pytest.param(1764950955000, utc(2025, 12, 5, 16, 9, 15), id="milliseconds"),
    pytest.param({"low": 1764950955, "high": 0}, utc(2025, 12, 5, 16, 9, 15), id="long"),
    pytest.param("2025-12-05T16:09:15.000Z", utc(2025, 12, 5, 16, 9, 15), id="iso"),
    pytest.param("2025-12-05T13:09:15-03:00", utc(2025, 12, 5, 16, 9, 15), id="iso-offset"),
    pytest.param("2025-12-05T16:09:15", utc(2025, 12, 5, 16, 9, 15), id="iso-bare"),
    pytest.param("0001-01-01T00:00:00+14:00", None, id="before-all-time"),
    pytest.param("yesterday", None, id="text"),
    pytest.param(0, None, id="zero"),
    pytest.param(10**30, None, id="never"),
    pytest.param(True, None, id="bool"),
    pytest.param(None, None, id="none"),
]


@pytest.mark.parametrize(("written", "meant"), MOMENTS)
def test_to_time(written: object, meant: object) -> None:
    """Moments are read from seconds, milliseconds and ISO texts, and are in UTC."""
    assert meant == wire.to_time(written)


NUMBERS = [
    pytest.param(-3.5, -3.5, id="float"),
    pytest.param(3, 3.0, id="int"),
    pytest.param("40.4", 40.4, id="text"),
    pytest.param("x", None, id="no-number"),
    pytest.param(float("nan"), None, id="nan"),
    pytest.param(10**400, None, id="too-large"),
    pytest.param(False, None, id="bool"),
    pytest.param([], None, id="list"),
]


@pytest.mark.parametrize(("written", "meant"), NUMBERS)
def test_to_float(written: object, meant: float | None) -> None:
    """Only finite numbers are numbers."""
    assert meant == wire.to_float(written)


def test_containers() -> None:
    """A container of the wrong kind is an empty one."""
    assert (wire.as_dict([1]), wire.as_dict({"a": 1})) == ({}, {"a": 1})
    assert (wire.as_list({"a": 1}), wire.as_list([1])) == ([], [1])
    assert list(wire.dicts([{"a": 1}, 2, {}])) == [{"a": 1}, {}]
    assert (list(wire.dicts({"a": 1})), list(wire.dicts(None))) == ([{"a": 1}], [])


def test_texts() -> None:
    """A text says something, and is found by the first path that leads to one."""
    nested = {"a": {"b": ""}, "c": {"d": "x"}}

    assert (wire.to_text(""), wire.to_text("x"), wire.to_text(5)) == (None, "x", None)
    assert wire.find_text(nested, ("a", "b"), ("a", "b", "c"), ("c", "d")) == "x"
    assert wire.find_text(None, ("a",)) is None


DOCUMENTS = [
    pytest.param('{"a": 1}', {"a": 1}, id="dict"),
    pytest.param("[1]", {}, id="list"),
    pytest.param("{", {}, id="broken"),
    pytest.param("[" * 100_000, {}, id="deep"),
    pytest.param(None, {}, id="none"),
]


@pytest.mark.parametrize(("text", "meant"), DOCUMENTS)
def test_from_json(text: object, meant: dict[str, object]) -> None:
    """A JSON text that holds no dict holds an empty one."""
    assert meant == wire.from_json(text)
