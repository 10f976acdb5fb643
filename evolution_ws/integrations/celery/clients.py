"""The client inside tasks: one per worker process."""

from __future__ import annotations

import os
import threading
from typing import Any

from celery import current_app, signals

from ... import Client, ConfigError
from ...config import arguments_from_env
from .._shared import Shared, WebClient, web_client
from .settings import client_arguments


__all__ = ["close_clients", "get_client"]

_adding = threading.Lock()
_shared: dict[Any, Shared] = {}


def get_client(app: Any = None) -> Client:
    """
    Return the client for tasks, the same one in the whole worker process.

    It emits, calls and has :attr:`~evolution_ws.Client.api`; it connects with the first
    emit, which waits *connect_timeout* seconds for that, and is closed when the worker
    process ends. It has no inbox: events come to tasks from a forwarder. Its settings are
    ``evolution_url``, ``evolution_instance``, ``evolution_api_key`` and
    ``evolution_options`` of the app, or the environment variables of
    :meth:`Client.from_env() <evolution_ws.Client.from_env>`.

    Args:
        app:
            The Celery app; None for the current one.

    Raises:
        ConfigError: A setting is missing or cannot work.

    Threads:
        Any, greenlets included. A soft time limit that strikes leaves the client usable.
    """
    app = app or current_app._get_current_object()
    found = _shared.get(app)
    if found is None:
        with _adding:
            found = _shared.setdefault(app, Shared(lambda: _make(app)))
    return found.client()


def _make(app: Any) -> WebClient:
    arguments = client_arguments(app) or arguments_from_env("EVOLUTION_", os.environ)
    if not arguments["url"]:
        raise ConfigError(
            "set app.conf.evolution_url (or the environment variable EVOLUTION_URL) to the "
            "server's address, such as https://api.example.com"
        )
    # The file of a durable inbox belongs to a forwarder alone.
    wanted = {name: item for name, item in arguments.items() if name not in ("durable", "auto_ack")}
    return web_client(wanted.pop("url"), wanted.pop("instance"), wanted.pop("api_key"), wanted)


def close_clients(**kwargs: Any) -> None:
    """Close the clients of this process; the next :func:`get_client` makes new ones."""
    with _adding:
        found = list(_shared.values())
        _shared.clear()
    for one in found:
        one.close()


def _forget_lock() -> None:
    global _adding
    _adding = threading.Lock()


os.register_at_fork(after_in_child=_forget_lock)
# A child of the prefork pool runs no exit hooks; with threads and greenlets there is no child.
signals.worker_process_shutdown.connect(close_clients, dispatch_uid="evolution-ws-process")
signals.worker_shutdown.connect(close_clients, dispatch_uid="evolution-ws-worker")
