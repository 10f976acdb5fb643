"""JSON as it goes over the wire: orjson where it is installed, the standard library elsewhere."""

from __future__ import annotations

import json
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
        ValueError: The value refers to itself or is nested too deeply.
    """
    try:
        if orjson is not None:
            try:
                return orjson.dumps(value).decode()
            except TypeError:
                # Integers over 64 bits and keys that are no str: the standard library decides.
                pass
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


# Made once: json.loads() makes a decoder at each call that has options.
_decode = json.JSONDecoder(parse_constant=_refuse).decode
