"""The one client that all requests of a web process share, and its event streams."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from .. import Client, ClientConfig
from ._sse import Broadcaster


class WebClient(Client):
    """
    A client for web processes: it has no inbox, and emitting connects it.

    Made by ``get_client()``, which gives the same one to all threads of a process.
    """

    emit_timeout = ClientConfig().connect_timeout
    """Seconds that :meth:`emit` waits for the connection, unless told otherwise."""

    def emit(
        self,
        event: str,
        data: Any = None,
        *,
        instance: str | None = None,
        namespace: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """
        Send an event as :meth:`Client.emit`, waiting for a connection.

        Args:
            event:
                Its name, as the server expects it.
            data:
                As of :meth:`Client.emit`.
            instance:
                As of :meth:`Client.emit`.
            namespace:
                As of :meth:`Client.emit`.
            timeout:
                Seconds to wait for the connection; None stands for :attr:`emit_timeout`.
        """
        wait = self.emit_timeout if timeout is None else timeout
        super().emit(event, data, instance=instance, namespace=namespace, timeout=wait)


def web_client(url: str, instance: Any, api_key: Any, options: Mapping[str, Any]) -> WebClient:
    """
    Make a client for web processes, which connects nothing yet.

    Raises:
        ConfigError: A setting cannot work.
    """
    # No inbox, for nobody reads it, and no history: pages ask for what they missed.
    client = WebClient(
        url, instance, api_key=api_key, **{"backfill": False, **options, "queue_size": 0}
    )
    client.emit_timeout = options.get("connect_timeout", WebClient.emit_timeout)
    return client


class Shared:
    """
    Makes the client of a process when it is asked for, and closes it.

    Args:
        make_client:
            Makes a client, without connecting it.

    Threads:
        Any. A fork leaves the child without client and streams; it makes its own.
    """

    def __init__(self, make_client: Callable[[], WebClient]) -> None:
        self._make_client = make_client
        self._changing = threading.Lock()
        self._client: WebClient | None = None
        self._broadcaster: Broadcaster | None = None
        _remember(self)

    def client(self) -> WebClient:
        """Return the client, which is made now unless it was before."""
        with self._changing:
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def broadcaster(self) -> Broadcaster:
        """Return what feeds the event streams of this process."""
        with self._changing:
            if self._broadcaster is None:
                self._broadcaster = Broadcaster(self.client)
            return self._broadcaster

    def refuse_streams(self) -> None:
        """End all event streams without waiting, those to come included."""
        broadcaster = self._broadcaster
        if broadcaster is not None:
            broadcaster.refuse()

    def close(self) -> None:
        """End the streams and close the client; the next call that needs one makes a new one."""
        with self._changing:
            client, self._client = self._client, None
            broadcaster, self._broadcaster = self._broadcaster, None
        if broadcaster is not None:
            broadcaster.close()
        if client is not None:
            client.close()

    def forget(self) -> None:
        """Start anew in the child of a fork: its parent's threads and connection are not there."""
        self._changing = threading.Lock()
        self._client = self._broadcaster = None


# Replaced as a whole: a signal handler walks over it whatever the rest of the process does.
_known: tuple[weakref.ref[Shared], ...] = ()


def _remember(shared: Shared) -> None:
    global _known
    _known = (*(known for known in _known if known() is not None), weakref.ref(shared))


def _all() -> list[Shared]:
    return [shared for known in _known if (shared := known()) is not None]


def refuse_all_streams() -> None:
    """End the event streams of this process; safe in a signal handler."""
    for shared in _all():
        shared.refuse_streams()


def close_all() -> None:
    """Close the shared clients of this process."""
    for shared in _all():
        shared.close()


def _after_fork() -> None:
    for shared in _all():
        shared.forget()


os.register_at_fork(after_in_child=_after_fork)
