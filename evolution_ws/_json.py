"""JSON as it goes over the wire, read with orjson where it is installed."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn


try:
    import orjson
except ImportError:  # the extra `fast` is not installed
    orjson = None  # type: ignore[assignment]


def loads(data: bytes | memoryview) -> Any:
    """
    Decode the JSON text in *data*.

    Raises:
        ValueError: It is no JSON, no UTF-8, or nested too deeply.
    """
    if orjson is not None:
        try:
            return orjson.loads(data)
        except ValueError:
            # orjson refuses what JavaScript may send (lone surrogates as escapes).
            pass
    try:
        return _decode(str(data, "utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dumps(value: Any, **_: Any) -> str:
    """
    Encode *value* as compact JSON.

    Keyword arguments are accepted for the sake of python-socketio and ignored.

    Raises:
        TypeError: A part of *value* has no JSON form.
        ValueError: It refers to itself, is nested too deeply, or holds NaN or an infinity.
    """
    try:
        # The standard library alone: what can be sent must not depend on what is installed, and
        # orjson makes null of NaN and texts of dates.
        text = _encode(value)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    # Half of a surrogate pair has no UTF-8, and would break the connection: it goes as an escape.
    if text.isascii():
        return text
    return _LONE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_LONE = re.compile("[\ud800-\udfff]")

# Made once: json.loads() and json.dumps() make one at each call that has options.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_decode = json.JSONDecoder(parse_constant=_refuse).decode
