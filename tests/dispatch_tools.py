"""A dispatcher and what it stands on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from evolution_ws import ClientConfig, Event
from evolution_ws._callbacks import Callbacks
from evolution_ws._dispatch import Dispatcher
from evolution_ws._hub import Hub


@attrs.define
class Parts:
    """A dispatcher and what it stands on."""

    callbacks: Callbacks
    hub: Hub
    dispatcher: Dispatcher

    def on(self, callback: Callable[..., object], *types: str) -> None:
        """Register a callback."""
        self.callbacks.add(frozenset(types) if types else None, callback, None, None)
        self.dispatcher.refresh()

    def end(self, timeout: float = 10.0) -> bool:
        """Close the hub and wait for the threads."""
        self.hub.close()
        return self.dispatcher.finish(timeout)


def make_parts(workers: int = 1, inbox: Any = None, **options: Any) -> Parts:
    """Return a dispatcher of a client with these settings."""
    config = ClientConfig(**options)
    callbacks, hub = Callbacks(), Hub(config, inbox)
    dispatcher = Dispatcher(callbacks, hub, workers, "evolution-ws-t")
    return Parts(callbacks, hub, dispatcher)


def message(chat: str, number: int) -> Event:
    """Return a numbered message of a chat."""
    return Event("messages.upsert", "sales", {"key": {"remoteJid": chat}, "n": number})
