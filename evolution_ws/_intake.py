"""
Which of the events off the wire are delivered: the wanted ones, each once.

Runs on the thread that reads the socket.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ._holding import Holding
from ._seen import SeenMessages, message_id
from .config import ClientConfig
from .events import Event, parse_event


_log = logging.getLogger("evolution_ws")

# v1.8 sends the second copy right after the first; a few hundred frames are plenty.
_REMEMBERED = 256

# Name of the event of a message that was sent over the server's API.
_SENT = "send.message"


class Intake:
    """Filters and counts the events of one client."""

    def __init__(
        self,
        instances: tuple[str, ...] | None,
        config: ClientConfig,
        is_wanted: Callable[[str, str | None], bool],
        deliver: Callable[[Event, int], object],
        is_joined: Callable[[str], bool],
        seen: SeenMessages | None,
        holding: Holding,
    ) -> None:
        self._instances = frozenset(instances) if instances is not None else None
        self._avoid_root = config.global_events is False
        self._is_wanted = is_wanted
        self._deliver = deliver
        self._is_joined = is_joined
        self._seen = seen
        self._holding = holding
        self.is_global = False
        """Whether the present connection brings events on ``/``."""
        self._recent: deque[int] = deque(maxlen=_REMEMBERED)
        self.received = 0
        self.filtered = 0
        self.duplicates = 0
        self.malformed = 0
        self.last_event: float | None = None
        """Unix time at which the last event came off the wire."""

    @property
    def follows_root(self) -> bool:
        """Return whether the present connection takes the events from ``/``."""
        return self.is_global and not self._avoid_root

    def begin_session(self) -> None:
        """Forget what was known of the server: it may have been configured anew."""
        self.is_global = False
        self._recent.clear()

    def wants(self, namespace: str, name: str, instance: str | None) -> bool:
        """Return whether an event has to be decoded; count it where that ends its way."""
        self.received += 1
        self.last_event = time.time()
        if namespace == "/":
            if not self.is_global:
                self._note_global_mode()
            if instance is not None and not self._is_ours(instance):
                self.filtered += 1
                return False
        elif self.follows_root:
            # In global mode "/" is complete and in order; this is the copy.
            self.duplicates += 1
            return False
        if not self._is_wanted(name, instance):
            self.filtered += 1
            return self._has_to_know(name, instance)
        return True

    def _has_to_know(self, name: str, instance: str | None) -> bool:
        """Return whether an event that nobody wants must not come back out of the history."""
        # The server's history tells what was sent over its API no more apart from what came in,
        # and a bot that got its own answers as messages would answer itself.
        return (
            name == _SENT
            and self._seen is not None
            and self._is_wanted("messages.upsert", instance)
        )

    def on_event(self, namespace: str, name: str, payload: Any, size: int, mark: int) -> None:
        """Deliver an event that passed :meth:`wants`."""
        event = parse_event(name, payload, namespace=namespace, received_at=self.last_event)
        if namespace == "/":
            if not self._is_ours(event.instance):
                self.filtered += 1
                return
            if mark in self._recent:
                self.duplicates += 1
                return
            self._recent.append(mark)
        if self._seen is not None:
            number = message_id(name, event.data)
            if number is not None and not self._seen.came_live(event.instance, number):
                self.duplicates += 1
                return
        if not self._holding or not self._holding.take(event, size):
            self._deliver(event, size)

    def on_malformed(self, problem: str) -> None:
        """Count what could not be understood."""
        self.malformed += 1
        # The first ones are worth a warning; a server that sends nothing else must not fill a disk.
        level = logging.WARNING if self.malformed <= 10 else logging.DEBUG
        _log.log(level, "ignored a malformed packet: %s", problem)

    def _note_global_mode(self) -> None:
        self.is_global = True
        _log.info("the server is in global mode: events are taken from /")

    def _is_ours(self, instance: str) -> bool:
        if self._instances is not None and instance not in self._instances:
            return False
        return not (self._avoid_root and self._is_joined("/" + instance))
