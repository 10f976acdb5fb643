"""The clients of a Django process: one per alias, made when a view asks for it."""

from __future__ import annotations

import threading
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from ... import Client, ConfigError
from .._shared import Shared, WebClient, web_client
from .conf import DEFAULT_ALIAS, Connection, connection


__all__ = ["close_clients", "get_client"]

_adding = threading.Lock()
_shared: dict[str, Shared] = {}


def get_client(alias: str = DEFAULT_ALIAS) -> Client:
    """
    Return the client for views and tasks, the same one in all threads of a process.

    It emits, calls and has :attr:`~evolution_ws.Client.api`; it connects with the first
    emit, which waits *connect_timeout* seconds for that. It has no inbox: receiving is the
    job of ``manage.py evolution_listen``.

    Args:
        alias:
            Which entry of ``EVOLUTION_WS``.

    Raises:
        ImproperlyConfigured: The settings are wrong.

    Threads:
        Any. After a fork each process makes its own.
    """
    return shared(alias).client()


def shared(alias: str) -> Shared:
    """Return what the requests of this process share for *alias*."""
    found = _shared.get(alias)
    if found is None:
        checked = connection(alias)
        with _adding:
            found = _shared.setdefault(alias, Shared(lambda: _make(checked)))
    return found


def make_web_client(found: Connection) -> WebClient:
    """
    Make the client that views use; connects nothing.

    Raises:
        ConfigError: A setting cannot work.
    """
    return web_client(found.url, found.instance, found.api_key, found.options)


def make_listener(found: Connection, durable: str | None) -> Client:
    """
    Make the client that ``evolution_listen`` uses; connects nothing.

    Raises:
        ConfigError: A setting cannot work.
        InboxError: The durable inbox cannot be used.
    """
    file = durable or found.durable
    inbox: dict[str, Any] = {"durable": file, "auto_ack": False} if file else {}
    return Client(found.url, found.instance, api_key=found.api_key, **found.options, **inbox)


def _make(found: Connection) -> WebClient:
    try:
        return make_web_client(found)
    except ConfigError as exc:
        raise ImproperlyConfigured(f"EVOLUTION_WS[{found.alias!r}]: {exc}") from exc


def close_clients() -> None:
    """Close the clients and streams of this process; the next :func:`get_client` makes new ones."""
    with _adding:
        found = list(_shared.values())
        _shared.clear()
    for one in found:
        one.close()


def forget_changed(*, setting: str, **kwargs: Any) -> None:
    """Close the clients when a test changes their settings."""
    if setting == "EVOLUTION_WS":
        close_clients()
