"""
The exceptions of evolution_ws.

* :exc:`EvolutionError`
    * :exc:`ConfigError` (also a :exc:`ValueError`)
    * :exc:`PayloadTooLarge` (also a :exc:`ValueError`)
    * :exc:`ConnectError`
        * :exc:`AuthenticationError`
        * :exc:`WebsocketDisabledError`
    * :exc:`ConnectionLost`
    * :exc:`NotConnectedError`
    * :exc:`ClientClosed`
    * :exc:`QueueOverflow`
    * :exc:`InboxError`
    * :exc:`ApiError`

A wait that runs out of time raises the built-in :exc:`TimeoutError`.
Every message says what happened, where, and what to do next; none contains a
key, and all of them pickle.
"""

from __future__ import annotations


__all__ = [
    "ApiError",
    "AuthenticationError",
    "ClientClosed",
    "ConfigError",
    "ConnectError",
    "ConnectionLost",
    "EvolutionError",
    "InboxError",
    "NotConnectedError",
    "PayloadTooLarge",
    "QueueOverflow",
    "WebsocketDisabledError",
]


class EvolutionError(Exception):
    """Base of every exception of this library; never raised itself."""


class ConfigError(EvolutionError, ValueError):
    """An argument, a setting or an environment variable cannot work as given."""


class PayloadTooLarge(EvolutionError, ValueError):
    """
    A message is larger than the server accepts.

    Nothing was sent: the server would have answered by closing the connection.
    """


class ConnectError(EvolutionError):
    """The connection could not be opened."""


class AuthenticationError(ConnectError):
    """The server refused the api key. Trying again with the same key is pointless."""


class WebsocketDisabledError(ConnectError):
    """The server answers, but its websocket is switched off (``WEBSOCKET_ENABLED``)."""


class ConnectionLost(EvolutionError):
    """The connection dropped, and reconnecting was given up or is of no use to this call."""


class NotConnectedError(EvolutionError):
    """The call needs an open connection and there is none, or the namespace is not joined."""


class ClientClosed(EvolutionError):
    """The client was closed, or belongs to another process."""


class QueueOverflow(EvolutionError):
    """A queue is full and its policy is to raise."""


class InboxError(EvolutionError):
    """The durable inbox cannot be used: in use, unreadable, or its disk is full."""


class ApiError(EvolutionError):
    """
    The REST interface refused a request or answered what cannot be understood.

    Args:
        status:
            HTTP status code; 0 when there was no answer at all.
        messages:
            The server's own words, flattened to a tuple of strings.
        hint:
            What to do next, empty when there is nothing to add.
    """

    status: int
    """HTTP status code; 0 when there was no answer at all."""

    messages: tuple[str, ...]
    """The server's own words."""

    hint: str
    """What to do next; may be empty."""

    def __init__(self, status: int, messages: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(status, messages, hint)
        self.status = status
        self.messages = tuple(messages)
        self.hint = hint

    def __str__(self) -> str:
        said = "; ".join(self.messages) or "no explanation"
        where = f"HTTP {self.status}" if self.status else "no answer"
        return f"{where}: {said}" + (f". {self.hint}" if self.hint else "")
