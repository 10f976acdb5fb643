"""The JSON-safe form and the way back."""

from __future__ import annotations

import enum
import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolution_ws._json_safe import canonical, decode, encode


class Colour(str, enum.Enum):
    """An enum whose members are texts."""

    RED = "red"


class Number(enum.IntEnum):
    """An enum whose members are numbers."""

    ONE = 1


VALUES = [
    pytest.param(b"\x00\xff", {"$bytes": "AP8="}, id="bytes"),
    pytest.param(math.inf, {"$float": "inf"}, id="infinity"),
    pytest.param(2**63, {"$int": "0x8000000000000000"}, id="large-int"),
    pytest.param(-(2**63), -(2**63), id="least-int"),
    pytest.param(10**5000, {"$int": hex(10**5000)}, id="huge-int"),
    pytest.param("ação \U0001f600", "ação \U0001f600", id="text"),
    pytest.param("\ud800", {"$text": "7aCA"}, id="surrogate"),
    pytest.param((1, b""), {"$tuple": [1, {"$bytes": ""}]}, id="tuple"),
    pytest.param({"$bytes": "AP8="}, {"$items": [["$bytes", "AP8="]]}, id="lookalike"),
    pytest.param({"$items": []}, {"$items": [["$items", []]]}, id="lookalike-of-the-escape"),
    pytest.param({"$a": 1, "b": 2}, {"$items": [["$a", 1], ["b", 2]]}, id="dollar"),
    pytest.param({1: 2}, {"$items": [[1, 2]]}, id="int-key"),
    pytest.param({"\ud800": 1}, {"$items": [[{"$text": "7aCA"}, 1]]}, id="surrogate-key"),
    pytest.param([None, True, 1.5, {}, []], [None, True, 1.5, {}, []], id="plain"),
]


@pytest.mark.parametrize(("value", "written"), VALUES)
def test_both_ways(value: object, written: object) -> None:
    """What JSON lacks is written in its own way, and read back exactly."""
    assert encode(value) == written
    assert decode(json.loads(json.dumps(written))) == value


OTHERS = [
    pytest.param(bytearray(b"\x00"), {"$bytes": "AA=="}, id="bytearray"),
    pytest.param(memoryview(b"\x00"), {"$bytes": "AA=="}, id="memoryview"),
    pytest.param(Colour.RED, "red", id="text-enum"),
    pytest.param(Number.ONE, 1, id="int-enum"),
    pytest.param(type("Real", (float,), {})("nan"), {"$float": "nan"}, id="float-subclass"),
    pytest.param(object(), {"$object": "object"}, id="object"),
]


@pytest.mark.parametrize(("value", "written"), OTHERS)
def test_one_way(value: object, written: object) -> None:
    """Relatives of wire types are written as these, anything else by the name of its class."""
    assert encode(value) == written


def test_object_is_lost() -> None:
    """An object that no wire format knows does not come back."""
    assert decode({"a": {"$object": "object"}}) == {"a": None}


FOREIGN = [
    {"$bytes": "?"},
    {"$bytes": 5},
    {"$int": "x"},
    {"$float": []},
    {"$items": 5},
    {"$items": [[1]]},
    {"$items": [[[], 1]]},
    {"$part": 3},
    {"$part": "x"},
    {"$parts": 5},
    {"$text": None},
    {"$other": 1},
]


@pytest.mark.parametrize("written", FOREIGN, ids=json.dumps)
def test_lookalikes_stay(written: object) -> None:
    """What only looks as if it were written here stays as it is."""
    assert decode(written) == written


def test_empty_parts() -> None:
    """A list of no parts is nothing."""
    assert decode({"$parts": []}) is None


def test_depth() -> None:
    """Nesting of any depth is written flat enough for every JSON encoder, and comes back."""
    value: Any = {"bottom": b"\x00"}
    for _ in range(20_000):
        value = [value, {"key": None}]

    written = encode(value)
    copy = decode(orjson.loads(orjson.dumps(written)))

    assert encode(copy) == written
    levels = 0
    while isinstance(copy, list):
        copy, levels = copy[0], levels + 1
    assert (levels, copy) == (20_000, {"bottom": b"\x00"})


def test_canonical() -> None:
    """Equal payloads share a spelling, whatever the order of their keys."""
    assert canonical({"a": b"1", "b": [1]}) == canonical({"b": [1], "a": b"1"})
    assert canonical({"a": "\ud800"}) != canonical({"a": "\ud801"})


KEYS = st.one_of(st.text(st.characters(), max_size=5), st.sampled_from(["$bytes", "$items", "$x"]))
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(), max_size=8),
    st.binary(max_size=8),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=20,
)


@given(TREES)
def test_any_tree(value: object) -> None:
    """Every tree of wire values survives the way through a strict encoder and back."""
    written = orjson.dumps(encode(value))

    assert decode(orjson.loads(written)) == value
