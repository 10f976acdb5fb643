"""JSON of the wire, with and without orjson."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from evolution_ws import _json


@pytest.fixture(params=["orjson", "standard library"], autouse=True)
def _codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test with orjson and without it."""
    if request.param == "standard library":
        monkeypatch.setattr(_json, "orjson", None)


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1.5, 2**53, "", "ação ✓ 😀", [], {}, [{"a": [1, {"b": None}]}]],
    ids=repr,
)
def test_values_come_back_as_they_were(value: Any) -> None:
    """What is encoded is decoded to the same value, from bytes and from a view of them."""
    text = _json.dumps(value)

    assert _json.loads(text.encode()) == value
    assert _json.loads(memoryview(text.encode())) == value


def test_loads_decodes_half_of_a_surrogate_pair() -> None:
    """JavaScript escapes it when it cuts an emoji in two."""
    assert _json.loads(b'["\\ud83d"]') == ["\ud83d"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[1,]",
        b"nul",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b'"\xff"',
        b"[1] x",
        b'{"a":1,}',
        b"[" * 200_000,
        b"[" * 200_000 + b"]" * 200_000,
    ],
    ids=lambda text: text[:12],
)
def test_loads_refuses_what_is_no_json(text: bytes) -> None:
    """Whatever is wrong with it, the error is one."""
    with pytest.raises(ValueError, match=r".+"):
        _json.loads(text)


def test_dumps_is_compact_and_keeps_text_readable() -> None:
    """No blanks, and no escapes but the necessary ones; options of upstream are ignored."""
    value = {"a": [1, "é\n"], "b": None}

    assert _json.dumps(value, separators=(" , ", " : ")) == '{"a":[1,"é\\n"],"b":null}'


def test_dumps_accepts_large_integers_and_keys_that_are_no_text() -> None:
    """What the standard library can encode can be sent."""
    assert _json.dumps({1: 2**70}) == f'{{"1":{2**70}}}'


@pytest.mark.parametrize("text", ["\ud83d", "a\udc00b", "\ud800\ud800", "😀\ud83d"], ids=ascii)
def test_dumps_escapes_half_of_a_surrogate_pair(text: str) -> None:
    """It has no UTF-8, so that sending it as it is would break the connection."""
    encoded = _json.dumps([text])

    assert json.loads(encoded.encode("utf-8")) == [text]


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, b"bytes", datetime(2026, 1, 2), [1j]],
    ids=["object", "set", "bytes", "datetime", "complex"],
)
def test_dumps_refuses_what_has_no_json_form(value: object) -> None:
    """The user learns it before anything is sent."""
    with pytest.raises(TypeError):
        _json.dumps(value)


def _ring() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


def _deep() -> list[Any]:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


@pytest.mark.parametrize(
    "value",
    [float("nan"), [float("inf")], _ring(), _deep()],
    ids=["NaN", "infinity", "ring", "bottomless"],
)
def test_dumps_refuses_what_json_cannot_say(value: object) -> None:
    """Neither does it send null where a number was meant, nor does it overflow."""
    with pytest.raises(ValueError, match=r".+"):
        _json.dumps(value)
