"""Reading the answers of the REST interface: one shape of error out of many."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import attrs

from ._redaction import MASK, printable, redacted_text, redacted_url
from ._rest_errors import NoAnswer
from ._rest_transport import Answer
from .exceptions import ApiError


# The server's errors quote numbers, addresses of chats and timestamps; the shortest
# telephone number worth hiding has seven digits.
_NUMBER = re.compile(r"\+?\d{7,}(?:[-:]\d+)?(?:@[\w.]+)?")

_TITLE = re.compile(r"(?is)<title[^>]*>(.*?)</title>")

_MAX_MESSAGES = 10

# Words lie four levels deep at most; what is far deeper was sent to do harm.
_MAX_DEPTH = 20

# (status or None for any, part of what the server said in lower case, what to do next)
_HINTS: tuple[tuple[int | None, str, str], ...] = (
    (401, "", "The api key is missing, wrong, or belongs to another instance"),
    (404, "cannot ", "The server has no such route: check the path of the URL"),
    (404, "instance", "Check the instance's name, upper and lower case matter"),
    (None, "not allowed by cors", "The server limits origins: set origin= to an allowed one"),
    (None, "is not one of enum values", "This version of the server does not know the value"),
    (None, "connection closed", "The instance is not connected to WhatsApp"),
    (None, "message not found", "Servers find messages that they stored, and no others"),
    (None, "license_required", "The server needs to be activated in its manager"),
    (413, "", "The request is too large for the server or the proxy before it"),
    (429, "", "Too many requests: slow down"),
    (502, "", "The server behind the proxy does not answer: is it running?"),
    (503, "", "The server is not ready: try again later"),
    (504, "", "The server behind the proxy took too long: try again later"),
)


@attrs.frozen
class Reply:
    """A successful answer."""

    value: Any = attrs.field(repr=False)
    """The decoded JSON; None for ``null`` and for an empty body."""

    is_empty: bool
    """Whether there was no body at all."""

    status: int
    """HTTP status code."""

    date: datetime | None
    """The server's clock in UTC; None when it did not say."""


@attrs.frozen
class Request:
    """A request as far as errors may show it."""

    method: str
    url: str
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)

    def error(self, status: int, messages: Iterable[str], advice: str = "") -> ApiError:
        """Return the exception that tells of *status* and *messages*, with nothing secret in it."""
        clean = dict.fromkeys(self._clean(text) for text in messages)
        words = tuple(text for text in clean if text)[:_MAX_MESSAGES]
        where = f"[{self.method} {redacted_url(self.url)}]"
        return ApiError(status, words, f"{advice} {where}".strip())

    def _clean(self, text: str) -> str:
        # One or two characters of a message would mask the whole sentence, and tell nothing.
        secrets = sorted((s for s in self.secrets if len(s) > 3), key=len, reverse=True)
        return printable(_NUMBER.sub(MASK, redacted_text(text, *secrets)))


def read_reply(answer: Answer, request: Request) -> Reply:
    """
    Return what *answer* holds.

    Raises:
        ApiError: It tells of an error, whatever its status, or cannot be understood.
    """
    if 300 <= answer.status < 400:
        raise _redirected(answer, request)
    empty = not answer.body.strip()
    try:
        value = None if empty else json.loads(answer.body)
    except (ValueError, RecursionError):
        raise _not_json(answer, request) from None
    if answer.status >= 400 or _tells_error(value):
        messages = list(_messages(value))
        code = str(value.get("code", "")) if isinstance(value, dict) else ""
        raise request.error(answer.status, messages, _hint(answer.status, [*messages, code]))
    return Reply(value, empty, answer.status, answer.date)


def no_answer(exc: NoAnswer, request: Request) -> ApiError:
    """Return the error of a request that got no answer."""
    return request.error(0, [exc.text], exc.advice)


def _tells_error(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    status = value.get("status")
    is_failure = type(status) is int and status >= 400 and "error" in value
    return is_failure or value.get("error") is True


def _messages(value: object, depth: int = 0) -> Iterator[str]:
    # A str, a list of them, a list in a list, a list of objects; below "response", below
    # "message", or alone.
    if isinstance(value, str):
        yield value
    elif depth > _MAX_DEPTH:
        return
    elif isinstance(value, list):
        for item in value:
            yield from _messages(item, depth + 1)
    elif isinstance(value, dict):
        yield from _messages_of(value, depth + 1)


def _messages_of(value: dict[str, Any], depth: int) -> Iterator[str]:
    if "exists" in value:
        if not value["exists"]:
            yield "the number is not on WhatsApp"
        return
    for name in ("response", "message", "error"):
        found = list(_messages(value.get(name), depth))
        if found:
            yield from found
            return


def _hint(status: int, messages: list[str]) -> str:
    said = "\n".join(messages).lower()
    for code, part, advice in _HINTS:
        if code in (None, status) and part in said:
            return advice
    return ""


def _redirected(answer: Answer, request: Request) -> ApiError:
    target = redacted_url(answer.location) or "another address"
    advice = "Redirects are not followed, they would carry the api key along: use that address"
    return request.error(answer.status, [f"the server redirects to {target}"], advice)


def _not_json(answer: Answer, request: Request) -> ApiError:
    text = answer.body[:20_000].decode("utf-8", "replace")
    if "<" not in text[:200]:
        said = "the answer is not JSON"
    else:
        title = _TITLE.search(text)
        said = "the answer is a web page" + (f" ({title[1].strip()})" if title else "")
    advice = _hint(answer.status, []) or "Does the URL lead to Evolution API?"
    return request.error(answer.status, [said], advice)
