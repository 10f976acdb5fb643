"""Names for events that every listener arrives at by itself."""

from __future__ import annotations

import hashlib
import re

from ._json_safe import canonical


__all__ = ["digest", "discreet", "message_key"]

# Ids of the official API carry the phone number in base64, and channels pass ids
# of the caller's own making through: what may be a number is not shown as it is.
_READABLE_ID = re.compile(r"(?![\d-]{8,}$)[0-9A-Za-z_-]{1,64}")


def digest(value: object) -> str:
    """Return a short digest that equal payloads share, in any encoding of their text."""
    return hashlib.blake2b(canonical(value), digest_size=12).hexdigest()


def message_key(key: object) -> str | None:
    """Return what names the message of a WhatsApp *key*, None without an id in it."""
    name = key.get("id") if isinstance(key, dict) else None
    if not isinstance(name, str) or not name:
        return None
    return _without_numbers(name)


def discreet(name: str | None) -> str:
    """Return the ``repr`` of a message's id, without the phone number that may be in it."""
    return repr(_without_numbers(name) if name else name)


def _without_numbers(name: str) -> str:
    return name if _READABLE_ID.fullmatch(name) else digest(name)
