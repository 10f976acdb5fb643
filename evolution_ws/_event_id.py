"""Names for events that every listener arrives at by itself."""

from __future__ import annotations

import hashlib
import re

from ._json_safe import canonical


__all__ = ["digest", "message_key"]

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
    return name if _READABLE_ID.fullmatch(name) else digest(name)
