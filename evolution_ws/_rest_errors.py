"""What ``requests`` raises, in words that hold no secret."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import requests
import urllib3

from .exceptions import ConfigError


_UNUSABLE = (
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidJSONError,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
)

_TLS_ADVICE = (
    "verify= takes the file of an authority of your own; http:// is for servers without TLS"
)


class NoAnswer(Exception):
    """
    A request without an answer.

    Args:
        kind:
            ``"connect"`` when trying again may help, ``"timeout"``, or ``"setup"``
            when only another configuration helps.
        text:
            What happened, without anything secret.
        advice:
            What to do next; may be empty.
    """

    def __init__(self, kind: str, text: str, advice: str = "") -> None:
        super().__init__(kind, text, advice)
        self.kind = kind
        self.text = text
        self.advice = advice


@contextmanager
def translated(timeout: float) -> Iterator[None]:
    """
    Turn the exceptions of a request into :exc:`NoAnswer` and ``ConfigError``.

    The texts of the originals hold URLs with their queries, and values of headers, so
    none of them is kept, not even as a cause.
    """
    try:
        yield
    except _UNUSABLE as exc:
        raise ConfigError(_unusable(exc)) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as exc:
        raise _no_answer(exc, timeout) from None
    except OSError:
        raise ConfigError(
            "a file of certificates cannot be read: check verify, cert and REQUESTS_CA_BUNDLE"
        ) from None


def _unusable(exc: Exception) -> str:
    if isinstance(exc, requests.exceptions.InvalidProxyURL):
        return "the proxy's URL cannot be used; check proxy= or the http_proxy variables"
    if isinstance(exc, requests.exceptions.InvalidSchema) and "SOCKS" in str(exc):
        return "a SOCKS proxy needs PySocks: pip install 'evolution-ws[socks]'"
    return f"the request cannot be sent as it is ({type(exc).__name__})"


def _no_answer(exc: Exception, timeout: float) -> NoAnswer:
    if isinstance(exc, requests.exceptions.ConnectTimeout):
        return NoAnswer("timeout", f"no connection within {timeout:g} s", "Is the address right?")
    if isinstance(exc, requests.exceptions.ProxyError):
        return NoAnswer("setup", "the proxy cannot be used", "Check proxy= or http_proxy")
    if isinstance(exc, requests.exceptions.SSLError):
        return NoAnswer("setup", f"TLS failed ({_tls_reason(exc)})", _TLS_ADVICE)
    causes = list(_causes(exc))
    if any(isinstance(c, (TimeoutError, urllib3.exceptions.ReadTimeoutError)) for c in causes):
        return NoAnswer("timeout", f"no answer within {timeout:g} s", "A longer timeout= may help")
    if any(isinstance(c, socket.gaierror) for c in causes):
        return NoAnswer("connect", "the host's name cannot be resolved", "Check the URL")
    if any(isinstance(c, ConnectionRefusedError) for c in causes):
        return NoAnswer("connect", "the connection was refused", "Is the server running?")
    return NoAnswer("connect", "the connection broke before the answer was complete")


def _tls_reason(exc: Exception) -> str:
    for cause in _causes(exc):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return cause.reason.lower().replace("_", " ")
    return "no further reason given"


def _causes(exc: BaseException) -> Iterator[BaseException]:
    # urllib3 keeps the reason of a failure in its arguments or attributes, requests as an argument.
    waiting: list[object] = [exc]
    seen: set[int] = set()
    while waiting:
        item = waiting.pop()
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        waiting += [item.__cause__, item.__context__, *item.args]
        with suppress(AttributeError):
            waiting.append(item.reason)  # type: ignore[attr-defined]
