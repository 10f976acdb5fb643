"""
A JSON-safe form of any payload, and the way back.

JSON has no bytes, no NaN, no lone surrogates and, in practice, neither huge
integers nor deep nesting. What it lacks is written as a dict with one key that
starts with ``$``; a dict that has such keys of its own is written as a list of
its items, so nothing is mistaken for something else.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable
from typing import Any, cast


__all__ = ["canonical", "decode", "encode"]

# The encoder of the standard library gives up at about a thousand levels less
# the caller's own stack; what lies deeper goes into a part of its own.
MAX_DEPTH = 100

# orjson and most databases stop at 64 bits.
MAX_INT = 2**63


def encode(value: object) -> Any:
    """
    Return *value* as something every JSON encoder accepts.

    Args:
        value:
            Anything without cycles. Objects that no wire format knows become
            ``{"$object": "<class name>"}``.
    """
    pending = [value]
    # The list grows while it is read: each part appends what is too deep for it.
    parts = [_encode(part, 0, pending) for part in pending]
    return parts[0] if len(parts) == 1 else {"$parts": parts}


def decode(value: object) -> Any:
    """Return what :func:`encode` was given; what it did not write stays as it is."""
    if isinstance(value, dict) and list(value) == ["$parts"] and isinstance(value["$parts"], list):
        written = value["$parts"]
        parts: list[Any] = [None] * len(written)
        for index in reversed(range(len(written))):
            parts[index] = _decode(written[index], parts)
        return parts[0] if parts else None
    return _decode(value, [])


def canonical(value: object) -> bytes:
    """Return the one spelling of *value* that equal values share, for digests."""
    return json.dumps(encode(value), sort_keys=True, separators=(",", ":")).encode()


def _encode(value: object, depth: int, pending: list[object]) -> Any:
    kind = type(value)
    if kind is str:
        return _encode_text(cast(str, value))
    if value is None or kind is bool:
        return value
    if kind is int:
        number = cast(int, value)
        return number if -MAX_INT <= number < MAX_INT else {"$int": hex(number)}
    if kind is float:
        return value if math.isfinite(cast(float, value)) else {"$float": repr(value)}
    if isinstance(value, (dict, list, tuple)):
        if depth >= MAX_DEPTH:
            pending.append(value)
            return {"$part": len(pending) - 1}
        return _encode_container(value, depth + 1, pending)
    return _encode_other(value)


def _encode_text(value: str) -> Any:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:  # a lone surrogate, which JSON text in UTF-8 cannot hold
            return {"$text": _base64(value.encode("utf-8", "surrogatepass"))}
    return value


def _encode_container(
    value: dict[Any, Any] | list[Any] | tuple[Any, ...], depth: int, pending: list[object]
) -> Any:
    if isinstance(value, list):
        return [_encode(item, depth, pending) for item in value]
    if isinstance(value, tuple):
        return {"$tuple": [_encode(item, depth, pending) for item in value]}
    if all(_is_plain_key(key) for key in value):
        return {key: _encode(item, depth, pending) for key, item in value.items()}
    return {
        "$items": [
            [_encode(key, depth, pending), _encode(item, depth, pending)]
            for key, item in value.items()
        ]
    }


def _encode_other(value: object) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": _base64(bytes(value))}
    # Subclasses, enum members among them, count as the plain type.
    if isinstance(value, str):
        return _encode_text(str.__str__(value))
    if isinstance(value, int):
        return _encode(int(value), 0, [])
    if isinstance(value, float):
        return _encode(float(value), 0, [])
    return {"$object": type(value).__name__}


def _is_plain_key(key: object) -> bool:
    return type(key) is str and not key.startswith("$") and _encode_text(key) is key


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _decode(value: Any, parts: list[Any]) -> Any:
    if isinstance(value, list):
        return [_decode(item, parts) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(key, written)] = value.items()
        read = _READERS.get(key)
        if read is not None:
            try:
                return read(written, parts)
            except (AttributeError, IndexError, TypeError, ValueError, binascii.Error):
                return value  # looks like one of ours and is not
    return {key: _decode(item, parts) for key, item in value.items()}


def _read_items(written: list[list[Any]], parts: list[Any]) -> dict[Any, Any]:
    return {_decode(key, parts): _decode(item, parts) for key, item in written}


_READERS: dict[str, Callable[[Any, list[Any]], Any]] = {
    "$bytes": lambda written, _: base64.b64decode(written, validate=True),
    "$float": lambda written, _: float(written),
    "$int": lambda written, _: int(written, 16),
    "$items": _read_items,
    "$object": lambda written, _: None,
    "$part": lambda written, parts: parts[written],
    "$text": lambda written, _: base64.b64decode(written).decode("utf-8", "surrogatepass"),
    "$tuple": lambda written, parts: tuple(_decode(item, parts) for item in written),
}
