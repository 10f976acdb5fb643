"""Events as the bytes that a durable inbox keeps, and back: exactly, and without their api key."""

from __future__ import annotations

import re
from typing import Any

from ._json import dumps, loads, orjson  # type: ignore[attr-defined]  # its one home
from ._json_safe import decode, encode
from .events import Event, parse_event


# Integers beyond 64 bits, which orjson reads as floats.
_LONG = re.compile(rb"\d{19}")


def pack(event: Event) -> bytes:
    """
    Return *event* as JSON in UTF-8; :func:`unpack` has an equal one from it.

    Most payloads are JSON already. In doubt that is found out by reading them back, which takes a
    third of the time of a look at each part of them. What JSON cannot hold goes the long way.
    """
    envelope = dict(event._envelope)
    envelope.pop("apikey", None)
    facts = [event.type, event.namespace, float(event._received), event.replayed, envelope]
    try:
        text = _plain(facts)
        # Of what a wire brings, orjson refuses what JSON cannot hold, except for NaN and the
        # infinities: those it writes as null.
        if (orjson is not None and b"null" not in text) or loads(text) == facts:
            return text
    except (RecursionError, TypeError, ValueError):
        pass
    return dumps({"encoded": encode(facts)}).encode()


def _plain(facts: list[Any]) -> bytes:
    if orjson is not None:
        packed: bytes = orjson.dumps(facts)
        return packed
    text = dumps(facts).encode()
    if _LONG.search(text):
        raise ValueError("who reads it later may have orjson")
    return text


def unpack(packed: bytes, redelivered: bool = False) -> Event:
    """
    Return the event that :func:`pack` wrote.

    Raises:
        ValueError: These are other bytes.
    """
    facts: Any = loads(packed)
    if isinstance(facts, dict):
        facts = decode(facts.get("encoded"))
    if not isinstance(facts, list) or len(facts) != 5 or not isinstance(facts[2], float):
        raise ValueError("this is no packed event")
    name, namespace, received, replayed, envelope = facts
    return parse_event(
        str(name),
        envelope,
        namespace=str(namespace),
        received_at=received,
        replayed=bool(replayed),
        redelivered=redelivered,
    )
