"""
The events of Evolution API, in order, for Python code that blocks.

* :mod:`evolution_ws.client`: :class:`Client`, where everything begins;
* :mod:`evolution_ws.events`, :mod:`evolution_ws.messages`: what arrives;
* :mod:`evolution_ws.config`: what can be set;
* :mod:`evolution_ws.exceptions`: what can go wrong;
* :mod:`evolution_ws.rest`: the REST companion;
* :mod:`evolution_ws.testing`: a real server for your own tests.
"""

from __future__ import annotations

import logging

from ._version import __version__
from .client import Client
from .config import Backoff, ClientConfig, Overflow
from .event_types import EventType
from .events import Event, parse_event
from .exceptions import (
    ApiError,
    AuthenticationError,
    ClientClosed,
    ConfigError,
    ConnectError,
    ConnectionLost,
    EvolutionError,
    InboxError,
    NotConnectedError,
    PayloadTooLarge,
    QueueOverflow,
    WebsocketDisabledError,
)
from .lifecycle import LifecycleEvent
from .state import ConnectionState, NamespaceState, Stats
from .subscription import Subscription


__all__ = [
    "ApiError",
    "AuthenticationError",
    "Backoff",
    "Client",
    "ClientClosed",
    "ClientConfig",
    "ConfigError",
    "ConnectError",
    "ConnectionLost",
    "ConnectionState",
    "Event",
    "EventType",
    "EvolutionError",
    "InboxError",
    "LifecycleEvent",
    "NamespaceState",
    "NotConnectedError",
    "Overflow",
    "PayloadTooLarge",
    "QueueOverflow",
    "Stats",
    "Subscription",
    "WebsocketDisabledError",
    "__version__",
    "parse_event",
]

# Whoever configures no logging sees nothing, and nothing of the user's is changed.
logging.getLogger(__name__).addHandler(logging.NullHandler())
