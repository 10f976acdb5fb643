"""Who may connect to an embedded server, and who may call its REST interface."""

from __future__ import annotations

from ._http import HttpRequest
from ._options import Options


def socket_refusal(options: Options, request: HttpRequest) -> str | None:
    """
    Return why the handshake *request* is refused, None when it is accepted.

    A key in the query wins over one in the header, and an instance's token is
    as good as the global key: for every namespace.
    """
    # Version 1.8 asks nobody for a key.
    if options.api_key is None or options.v1:
        return None
    if "*" in options.allowed_hosts or request.peer in options.allowed_hosts:
        return None
    key = request.query.get("apikey") or request.api_key
    if not key:
        return "apiKey is required"
    if key == options.api_key or key in (one.token for one in options.instances.values()):
        return None
    return "Invalid global token"


def sent_key(request: HttpRequest) -> bool:
    """Whether *request* carries any key."""
    return bool(request.query.get("apikey") or request.api_key)


def is_global(options: Options, request: HttpRequest) -> bool:
    """Whether a REST *request* has the rights of the global key."""
    return options.api_key is None or request.api_key == options.api_key


def is_allowed(options: Options, request: HttpRequest, instance: str) -> bool:
    """Whether a REST *request* may act on *instance*."""
    return is_global(options, request) or request.api_key == options.instances[instance].token
