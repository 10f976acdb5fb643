"""From an exception somewhere in the stack to the one that tells the user what to do."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator

from ._redaction import printable, redacted_text, redacted_url
from .exceptions import AuthenticationError, ConnectError, EvolutionError, WebsocketDisabledError


_NO_KEY = "apiKey is required"
_WRONG_KEY = "Invalid global token"
_TRANSIENT = "Authentication error"


def explain(exc: BaseException, where: str, secret: str | None = None) -> EvolutionError:
    """
    Return the exception to show for *exc*, which ended an attempt to connect.

    Args:
        where:
            The server's URL, without a key.
        secret:
            The api key, to be masked wherever a server or proxy echoes it.
    """
    if isinstance(exc, EvolutionError):
        return exc
    for error in _chain(exc):
        status = getattr(error, "status_code", None)
        if isinstance(status, int):
            body = _said(getattr(error, "resp_body", None), secret)
            return _refusal(status, body, where)
        problem = _problem(error, where)
        if problem:
            return ConnectError(redacted_text(problem, secret))
    said = printable(redacted_text(f"{type(exc).__name__}: {exc}", secret))
    return ConnectError(f"cannot connect to {where}: {said}")


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """Yield *exc* and what led to it; the innermost cause is upstream's only trace of it."""
    seen: set[int] = set()
    error: BaseException | None = exc
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _said(body: object, secret: str | None) -> str:
    """Return the server's words in the body of its answer, as one short line."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        answer = json.loads(text)
        if "response" in answer:
            answer = answer["response"]
        message = answer["message"]
        text = message if isinstance(message, str) else " ".join(map(str, message))
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    return printable(redacted_text(text, secret))


def _refusal(status: int, said: str, where: str) -> EvolutionError:
    if said == _NO_KEY:
        return AuthenticationError(
            f"{where} wants an api key ({said}). Give api_key= or set EVOLUTION_API_KEY: the "
            "server's global key, or the token of any of its instances"
        )
    if said == _WRONG_KEY or (status in (401, 403) and said != _TRANSIENT):
        return AuthenticationError(
            f"{where} refused the api key ({said or f'HTTP {status}'}). Compare it with the "
            "server's AUTHENTICATION_API_KEY or an instance's token"
        )
    if said == _TRANSIENT:
        return ConnectError(
            f"{where} cannot check keys at the moment ({said}): its database is down, or was when "
            "it was asked. Look at the server's log if this lasts"
        )
    if status == 404:
        return WebsocketDisabledError(
            f"{where} has no websocket (HTTP 404: {said or 'not found'}). Set "
            "WEBSOCKET_ENABLED=true on the server and restart it; behind a reverse proxy, check "
            "the path before /socket.io/ as well"
        )
    return ConnectError(
        f"{where} answered HTTP {status}: {said or 'an empty answer'}. {_advice(status)}"
    )


def _advice(status: int) -> str:
    if status in (502, 503, 504):
        return "A reverse proxy is up, the server behind it is not: wait, or look at its log"
    if status in (200, 400, 426):
        return (
            "If a reverse proxy stands before the server, let it pass the Upgrade and Connection "
            "headers on; if not, look at the server's log"
        )
    return "Look at the server's log, or at the proxy's before it"


def _problem(error: BaseException, where: str) -> str | None:
    """Return what *error* means and what to do about it; None when it says nothing by itself."""
    name = type(error).__name__
    if name == "RedirectRefused":
        return (
            f"{where} redirects to {redacted_url(str(error)) or 'nowhere'}. Use that address as "
            "the URL: the key is never sent along with a redirect"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = getattr(error, "verify_message", None) or error
        return (
            f"the certificate of {where} was not accepted: {reason}. Name its "
            "authority with verify='/path/ca.pem', or correct the certificate"
        )
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "reason", None) or error
        return f"no TLS with {where} ({reason}). Is it http:// behind that port?"
    if isinstance(error, socket.gaierror):
        return f"the host of {where} is unknown ({error.strerror}). Check the name and the DNS"
    if name in ("WebSocketProxyException", "ProxyError", "ProxyConnectionError"):
        return f"the proxy on the way to {where} failed: {error}. Check proxy= or http(s)_proxy"
    if isinstance(error, ConnectionRefusedError):
        return f"nobody listens at {where}. Start the server, or correct the port"
    if isinstance(error, TimeoutError) or name == "WebSocketTimeoutException":
        return f"{where} did not answer in time. Check the address, or raise connect_timeout"
    if isinstance(error, RuntimeError) and "thread" in str(error):
        return f"cannot connect to {where}: this process can start no thread ({error})"
    if name == "ProtocolViolation":
        return f"{where} does not speak socket.io as Evolution API does: {error}"
    if isinstance(error, ConnectionError) and isinstance(error, OSError):
        return f"{where} broke the connection off ({error.strerror or error}). Is it starting?"
    if name == "WebSocketConnectionClosedException":
        return f"{where} hung up before it answered. Is it starting, or is it another service?"
    if name.startswith("WebSocket"):
        return f"{where} is no websocket server ({printable(str(error))}). Check port and path"
    if isinstance(error, OSError):
        return f"cannot connect to {where}: {error.strerror or error}"
    return None
