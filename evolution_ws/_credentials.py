"""The api key of a client and its TLS context."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from ._dial import make_tls_context
from .config import ClientConfig
from .exceptions import ConfigError


class Credentials:
    """Hands out the key for each attempt; never shows it."""

    def __init__(
        self, api_key: str | Callable[[], str | None] | None, config: ClientConfig
    ) -> None:
        self._api_key = api_key
        self._config = config
        self._last: str | None = None
        self._context: ssl.SSLContext | None = None
        if not callable(api_key):
            _check(api_key)

    def __repr__(self) -> str:
        return f"Credentials({'key given' if self._api_key else 'no key'})"

    @property
    def has_key(self) -> bool:
        """Return whether there is, or may be, a key."""
        return self._api_key is not None

    def current(self) -> str | None:
        """Return the key for a REST call."""
        return self._api_key() if callable(self._api_key) else self._api_key

    def fresh(self) -> str | None:
        """
        Return the key to use now.

        Raises:
            ConfigError: It cannot travel in a header.
        """
        key = self._api_key() if callable(self._api_key) else self._api_key
        _check(key)
        self._last = key
        return key

    def has_changed(self) -> bool:
        """Return whether another attempt would use another key than the last one."""
        try:
            return callable(self._api_key) and self._api_key() != self._last
        except Exception:  # the user's code; the next attempt reports it
            return True

    def tls_context(self, origin: str) -> ssl.SSLContext | None:
        """Return the one context for the server; None where there is no TLS."""
        if self._context is None and origin.startswith("https"):
            self._context = make_tls_context(self._config.verify, self._config.cert)
        return self._context


def _check(key: object) -> None:
    if key is None:
        return
    if not isinstance(key, str):
        raise ConfigError("the api key has to be a str, or a callable that returns one")
    if not key or not key.isascii() or not key.isprintable() or key != key.strip():
        raise ConfigError(
            "the api key is empty or holds characters that no HTTP header can carry; "
            "look for spaces and line breaks around it"
        )
