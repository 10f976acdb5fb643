"""What may be shown of a thing that holds a secret."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit


MASK = "***"

# Keys whose value is a credential, wherever they turn up in a URL's query.
_QUERY = re.compile(r"(?i)\b(apikey|api_key|token|key|secret|password)=[^&\s]+")


def redacted_url(url: str) -> str:
    """Return *url* without user information, query and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))
    except ValueError:
        return MASK


def redacted_text(text: str, *secrets: str | None) -> str:
    """Return *text* with each of *secrets*, and credentials in queries, masked."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, MASK)
    return _QUERY.sub(lambda match: f"{match.group(1)}={MASK}", text)


def printable(text: str, limit: int = 200) -> str:
    """Return *text* as one line that cannot drive a terminal, at most *limit* characters long."""
    line = "".join(char if char.isprintable() else " " for char in text[: limit + 1])
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
