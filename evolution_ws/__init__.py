"""
The events of Evolution API, in order, for Python code that blocks.

* :mod:`evolution_ws.client`: :class:`Client`, where everything begins;
* :mod:`evolution_ws.events`, :mod:`evolution_ws.messages`: what arrives;
* :mod:`evolution_ws.config`: what can be set;
* :mod:`evolution_ws.exceptions`: what can go wrong;
* :mod:`evolution_ws.rest`: the REST companion;
* :mod:`evolution_ws.testing`: a real server for your own tests;
* :mod:`evolution_ws.integrations`: Django, Flask, Celery and gunicorn;
* :mod:`evolution_ws.notebook`, :mod:`evolution_ws.metrics`: notebooks and Prometheus.

All public names of these modules but the last four can be imported from here. Their
module is loaded when a name of it is first used, so that a program that imports
this package and connects later, or never, pays for that then.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from ._version import __version__


if TYPE_CHECKING:
    from .client import Client
    from .config import Backoff, ClientConfig, Overflow
    from .event_types import EventType
    from .events import (
        CallEvent,
        ChatsEvent,
        ConnectionEvent,
        ContactsEvent,
        Event,
        GroupParticipantsEvent,
        GroupsEvent,
        InstanceEvent,
        LabelEvent,
        MessageDeleteEvent,
        MessageEditEvent,
        MessageEvent,
        MessagesSetEvent,
        MessageUpdateEvent,
        PresenceEvent,
        QRCodeEvent,
        TypebotEvent,
        parse_event,
    )
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
    from .messages import Media, Message
    from .rest import Api
    from .state import ConnectionState, NamespaceState, Stats
    from .subscription import Subscription


__all__ = [
    "Api",
    "ApiError",
    "AuthenticationError",
    "Backoff",
    "CallEvent",
    "ChatsEvent",
    "Client",
    "ClientClosed",
    "ClientConfig",
    "ConfigError",
    "ConnectError",
    "ConnectionEvent",
    "ConnectionLost",
    "ConnectionState",
    "ContactsEvent",
    "Event",
    "EventType",
    "EvolutionError",
    "GroupParticipantsEvent",
    "GroupsEvent",
    "InboxError",
    "InstanceEvent",
    "LabelEvent",
    "LifecycleEvent",
    "Media",
    "Message",
    "MessageDeleteEvent",
    "MessageEditEvent",
    "MessageEvent",
    "MessageUpdateEvent",
    "MessagesSetEvent",
    "NamespaceState",
    "NotConnectedError",
    "Overflow",
    "PayloadTooLarge",
    "PresenceEvent",
    "QRCodeEvent",
    "QueueOverflow",
    "Stats",
    "Subscription",
    "TypebotEvent",
    "WebsocketDisabledError",
    "__version__",
    "parse_event",
]

# In the order in which a name is looked for; the light ones first.
_MODULES = (
    "exceptions",
    "config",
    "state",
    "lifecycle",
    "event_types",
    "events",
    "messages",
    "subscription",
    "client",
    "rest",
)

# Whoever configures no logging sees nothing, and nothing of the user's is changed.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            home = importlib.import_module(f".{module}", __name__)
            if name in home.__all__:
                globals()[name] = getattr(home, name)
                return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
