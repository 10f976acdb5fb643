"""Whether an Evolution API server answers, over REST and over its socket."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import websocket

from ._findings import Finding, failure, ok, warning
from ._output import escaped
from ._probe import Answer
from ._site import Site


_SOCKET = "/socket.io/?EIO=4&transport="
_REDIRECTS = (301, 302, 303, 307, 308)
_GATEWAY_DOWN = (502, 503, 504)
# What the server says when it refuses a handshake.
_NO_KEY, _WRONG_KEY, _TRANSIENT = (
    "apiKey is required",
    "Invalid global token",
    "Authentication error",
)
# engine.io's codes for a request that asks for a websocket without being an upgrade.
_NO_UPGRADE_CODES = (0, 3)

_UPGRADE_REMEDY = (
    "Let the proxy pass the upgrade on; for nginx: proxy_http_version 1.1; proxy_set_header "
    'Upgrade $http_upgrade; proxy_set_header Connection "upgrade"'
)


def check_server(site: Site) -> Iterator[Finding]:
    """Ask for the welcome page, which tells the version."""
    try:
        answer = site.probe.get(f"{site.prefix}/")
    except (OSError, http.client.HTTPException) as exc:
        yield _no_http(site, exc)
        return
    _note_clock(site, answer)
    welcome = answer.json
    if answer.status == 200 and isinstance(welcome, dict) and "version" in welcome:
        site.is_evolution = True
        site.version = str(welcome["version"])
        by = f", behind {escaped(answer.headers['server'])}" if "server" in answer.headers else ""
        yield ok("server", f"Evolution API {escaped(site.version)}{by}")
        return
    yield _not_evolution(site, answer)


def _no_http(site: Site, exc: Exception) -> Finding:
    if isinstance(exc, TimeoutError):
        return failure(
            "server",
            f"connected, but no answer within {site.probe.timeout:g} s",
            "The server hangs, or waits for a site it cannot reach: look at its log",
        )
    evidence = f"port {site.probe.port} does not answer HTTP ({type(exc).__name__})"
    if site.probe.context is None and _speaks_tls(site):
        return failure("server", f"{evidence}, but speaks TLS", "Use https:// in the URL")
    return failure("server", evidence, "Check the port, and look at the server's log")


def _speaks_tls(site: Site) -> bool:
    try:
        site.probe.secure(ssl._create_unverified_context()).close()
    except OSError:
        return False
    return True


def _note_clock(site: Site, answer: Answer) -> None:
    try:
        told = parsedate_to_datetime(answer.headers.get("date", ""))
    except (TypeError, ValueError):
        return
    site.skew = (told - datetime.now(timezone.utc)).total_seconds()


def _not_evolution(site: Site, answer: Answer) -> Finding:
    said = f"HTTP {answer.status} at {site.base}/: {_words(answer) or 'an empty answer'}"
    if answer.status in _REDIRECTS:
        return failure("server", f"{said}; it redirects", f"Use {_goal(answer)} as the URL")
    if b"HTTPS port" in answer.body:
        return failure("server", said, "Use https:// in the URL")
    if b"Not allowed by CORS" in answer.body:
        remedy = "Give --origin with one of the server's CORS_ORIGIN, or add * to that list"
        return failure("server", said, remedy)
    if answer.status in _GATEWAY_DOWN:
        return failure(
            "server",
            f"{said}; a reverse proxy is up, the server behind it is not",
            "Start Evolution API, or correct the address that the proxy passes requests to",
        )
    if answer.status == 401 and "www-authenticate" in answer.headers:
        return failure(
            "server",
            f"{said}; a reverse proxy asks for a password",
            "Exempt the API from it, or send its headers from code: Client(…, headers={…})",
        )
    return _elsewhere(site, said)


def _elsewhere(site: Site, said: str) -> Finding:
    """Look for the server at the root when it is not below the path of the URL."""
    if site.prefix:
        root = _welcome(site, "/")
        if root is not None:
            name = site.prefix.rpartition("/")[2]
            return failure(
                "server",
                f"{said}; Evolution API {root} answers at the root instead",
                f"Take {site.prefix} out of the URL; if it names an instance: --instance {name}",
            )
        return failure(
            "server",
            f"{said}; no Evolution API there",
            f"Check the path {site.prefix}: it has to be the one that the reverse proxy passes on",
        )
    return warning(
        "server",
        f"{said}; this is not Evolution API's welcome",
        "Check the URL; if a reverse proxy serves it below a path, the path belongs into the URL",
    )


def _welcome(site: Site, path: str) -> str | None:
    try:
        found = site.probe.get(path).json
    except (OSError, http.client.HTTPException):
        return None
    return (
        escaped(str(found["version"])) if isinstance(found, dict) and "version" in found else None
    )


def _goal(answer: Answer) -> str:
    parts = urlsplit(answer.headers.get("location", ""))
    host = parts.netloc.rpartition("@")[2]
    return escaped(f"{parts.scheme}://{host}" if host else "the address that it redirects to")


def check_socket(site: Site) -> Iterator[Finding]:
    """Shake hands as a client does; on failure, tell proxy, path, server and key apart."""
    path = f"{site.prefix}{_SOCKET}"
    try:
        polling: Answer | None = site.probe.get(f"{path}polling", site.key_header)
    except (OSError, http.client.HTTPException):
        polling = None
    try:
        answer = site.probe.upgrade(f"{path}websocket", site.key_header)
    except (OSError, websocket.WebSocketException) as exc:
        yield _broken_handshake(site, exc, polling)
        return
    if answer.status == 101:
        yield _opened(site, answer, polling)
    else:
        yield _refused(site, answer, polling)


def _opened(site: Site, answer: Answer, polling: Answer | None) -> Finding:
    if not answer.packet.startswith("0{"):
        return failure(
            "socket",
            "a websocket opens, but not one of socket.io",
            "Check the URL: something else answers there",
        )
    site.is_socket_open = True
    opening = json.loads(answer.packet[1:])
    beat = opening.get("pingInterval", 0) / 1000
    other = "and polling too" if _is_polling(polling) else "polling does not, and is not needed"
    return ok("socket", f"socket.io answers by websocket, {other}; a ping every {beat:g} s")


def _is_polling(polling: Answer | None) -> bool:
    return polling is not None and polling.status == 200 and polling.body.startswith(b"0{")


def _broken_handshake(site: Site, exc: Exception, polling: Answer | None) -> Finding:
    by_polling = "socket.io answers by polling, but " if _is_polling(polling) else ""
    reason = "no answer in time" if isinstance(exc, TimeoutError) else type(exc).__name__
    remedy = _UPGRADE_REMEDY if by_polling else "Look at the server's log, and the proxy's"
    return failure("socket", f"{by_polling}the websocket handshake failed ({reason})", remedy)


def _refused(site: Site, answer: Answer, polling: Answer | None) -> Finding:
    said = _words(answer)
    evidence = f"HTTP {answer.status} to the websocket handshake: {said or 'an empty answer'}"
    if said in (_NO_KEY, _WRONG_KEY):
        site.socket_refusal = said
        return _key_refused(site, evidence, said)
    if said == _TRANSIENT:
        remedy = "The server cannot reach its database: look at its log"
        return failure("socket", evidence, remedy)
    if _is_stripped(answer, polling):
        by_polling = (
            "by polling socket.io answers" if _is_polling(polling) else "socket.io is there"
        )
        return failure(
            "socket",
            f"{evidence}; {by_polling}, so a proxy on the way drops the Upgrade header",
            _UPGRADE_REMEDY,
        )
    if answer.status == 404:
        return _not_found(site, answer, evidence)
    return failure("socket", evidence, _status_remedy(site, answer))


def _key_refused(site: Site, evidence: str, said: str) -> Finding:
    if said == _NO_KEY:
        remedy = "Give the key: EVOLUTION_API_KEY or --api-key-file"
        if site.key:
            remedy = "A proxy on the way drops the header apikey: let it pass"
        return failure("socket", evidence, remedy)
    return failure(
        "socket",
        f"{evidence}; the key is wrong",
        "Take the server's AUTHENTICATION_API_KEY or the token of one of its instances",
    )


def _is_stripped(answer: Answer, polling: Answer | None) -> bool:
    """Whether the request reached socket.io as an ordinary one."""
    found: Any = answer.json
    code = found.get("code") if isinstance(found, dict) else None
    if answer.status == 400 and code in _NO_UPGRADE_CODES:
        return True
    return _is_polling(polling) and answer.status not in _GATEWAY_DOWN


def _not_found(site: Site, answer: Answer, evidence: str) -> Finding:
    found: Any = answer.json
    is_servers_own = isinstance(found, dict) and found.get("status") == 404
    if is_servers_own or (site.is_evolution and not answer.body):
        return failure(
            "socket",
            f"{evidence}; the server itself has no socket.io",
            "Set WEBSOCKET_ENABLED=true on the server and restart it",
        )
    where = f"{site.prefix}/socket.io/"
    return failure(
        "socket",
        f"{evidence}; the path {where} leads nowhere",
        "Have the reverse proxy pass that path on as well, or correct the path in the URL",
    )


def _status_remedy(site: Site, answer: Answer) -> str:
    if answer.status in _REDIRECTS:
        return f"Use {_goal(answer)} as the URL: the key is never sent along with a redirect"
    if answer.status in _GATEWAY_DOWN:
        return "A reverse proxy is up, the server behind it is not: start it, or wait"
    if answer.status in (401, 403):
        return "A proxy or firewall before the server refuses: look at its rules"
    if answer.status in (200, 400, 426):
        return _UPGRADE_REMEDY
    return "Look at the server's log, and the proxy's"


def _words(answer: Answer) -> str:
    """Return the server's words, whatever it wrapped them in."""
    found: Any = answer.json
    if isinstance(found, dict):
        response = found.get("response")
        inner: dict[str, Any] = response if isinstance(response, dict) else found
        message = inner.get("message") or inner.get("error") or ""
        words = message if isinstance(message, str) else " ".join(map(str, message))
        return escaped(words[:200])
    return answer.text
