"""A session of ``requests`` with a key, a TLS context, and a way to interrupt it."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class KeyAuth(AuthBase):
    """
    Puts the api key into a request.

    Being there, it also keeps requests from sending credentials found in ~/.netrc.
    """

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key is not None:
            request.headers["apikey"] = self._key
        return request


class Session(requests.Session):
    """
    A session whose request can be aborted from another thread.

    One thread at a time uses it, for one server: no more than one connection is in use.
    """

    connection: HTTPConnection | None = None
    """The connection that was opened last."""

    is_aborted = False
    """Whether nothing is to be sent any more."""

    def abort(self) -> None:
        """Make the thread that waits for an answer stop waiting, for good."""
        self.is_aborted = True
        sock = self.connection and self.connection.sock
        if sock:
            with suppress(OSError):
                # Not SSLSocket's own method, which takes away what the other thread reads with.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Adapter(HTTPAdapter):
    """
    Opens the connections of *session*, with *context* where they use TLS.

    requests alone trusts the authorities of certifi; the websocket beside it also trusts
    those of the system, where companies keep their own.
    """

    def __init__(self, session: Session, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._pools = _pools_of(session)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs, ssl_context=self._context)
        # Connections through SOCKS are of a class of their own.
        own = manager.pool_classes_by_scheme if proxy.lower().startswith("socks") else self._pools
        manager.pool_classes_by_scheme = own
        return manager


def _pools_of(session: Session) -> dict[str, type[HTTPConnectionPool]]:
    # urllib3's way to have its connections made by another class: here by one that tells
    # the session which connection it is.
    class Plain(HTTPConnection):
        def connect(self) -> None:
            session.connection = self
            super().connect()
            if session.is_aborted:
                session.abort()

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            session.connection = self
            super().connect()
            if session.is_aborted:
                session.abort()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
