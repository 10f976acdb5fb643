"""
Values as the server's three encodings write them, read as what they mean.

Every function takes anything and returns None (or something empty) for what is
not there or makes no sense; none raises.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any


__all__ = [
    "as_dict",
    "as_list",
    "dicts",
    "find_text",
    "from_json",
    "to_bytes",
    "to_float",
    "to_int",
    "to_text",
    "to_time",
]

_WHOLE_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,20}\s*")

# A count of seconds as large as this lies in the year 5138: it is milliseconds.
_FIRST_MILLISECONDS = 10**11


def as_dict(value: object) -> dict[str, Any]:
    """Return *value* if it is a dict, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return *value* if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def dicts(value: object) -> Iterator[dict[str, Any]]:
    """Yield the dicts of a list, or the dict itself: servers send either."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield item


def to_text(value: object) -> str | None:
    """Return a str that says something, None for everything else."""
    return value if isinstance(value, str) and value else None


def find_text(value: object, *paths: tuple[str, ...]) -> str | None:
    """Return the first text found at one of the *paths* into nested dicts."""
    for path in paths:
        found = value
        for key in path:
            found = as_dict(found).get(key)
        if isinstance(found, str) and found:
            return found
    return None


def to_int(value: object) -> int | None:
    """Return an integer written as a number, as digits, or as a Long's two halves."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return int(value) if _WHOLE_NUMBER.fullmatch(value) else None
    return _long(value) if isinstance(value, dict) else None


def to_float(value: object) -> float | None:
    """Return a finite number written as a number or as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def to_time(value: object) -> datetime | None:
    """Return a moment in UTC, written in seconds, milliseconds or as an ISO text."""
    number = to_int(value)
    try:
        if number is None:
            return _iso_time(value) if isinstance(value, str) else None
        if number == 0:  # how protobuf spells "not set"
            return None
        seconds = number / 1000 if abs(number) >= _FIRST_MILLISECONDS else number
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def to_bytes(value: object) -> bytes | None:
    """Return bytes that came as bytes, base64 text, an index dict or a Buffer."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):
        return _from_base64(value)
    if not isinstance(value, dict):
        return None
    items = value["data"] if value.get("type") == "Buffer" and "data" in value else _indexed(value)
    try:
        return bytes(items) if isinstance(items, list) else None
    except (TypeError, ValueError):
        return None


def from_json(value: object) -> dict[str, Any]:
    """Return the dict that a JSON text holds, else an empty one."""
    try:
        return as_dict(json.loads(value)) if isinstance(value, str) else {}
    except (ValueError, RecursionError):
        return {}


def _long(value: dict[str, Any]) -> int | None:
    low, high = value.get("low"), value.get("high")
    if not isinstance(low, int) or not isinstance(high, int):
        return None
    number = ((high & 0xFFFFFFFF) << 32) | (low & 0xFFFFFFFF)
    return number - 2**64 if number >= 2**63 and value.get("unsigned") is not True else number


def _iso_time(value: str) -> datetime:
    # Python 3.10 does not know the final Z.
    moment = datetime.fromisoformat(value[:-1] + "+00:00" if value.endswith("Z") else value)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return aware.astimezone(timezone.utc)


def _from_base64(value: str) -> bytes | None:
    encoded = value.partition(",")[2] if value.startswith("data:") else value
    compact = "".join(encoded.split()).replace("-", "+").replace("_", "/").rstrip("=")
    if not compact:
        return None
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None


def _indexed(value: dict[str, Any]) -> list[Any] | None:
    # JavaScript writes a byte array as {"0": 12, "1": 255, …}, an empty one as {}.
    items = [value.get(str(index)) for index in range(len(value))]
    return None if None in items else items
