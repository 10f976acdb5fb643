"""The short memory of a forwarder for events that another one sends."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

from ... import Event
from .share import Share


__all__ = ["Standby"]

# Seconds between two looks at what another forwarder has sent.
_LOOK = 0.5

# An event that its sender has not got is sent by whoever has it. Until then it may still be
# on its way there, and the clocks of two machines may differ.
_GRACE = 5.0


class Standby:
    """
    Forgets what another forwarder has sent, and sends what that one cannot have.

    Args:
        share:
            Who sends what.
        publish:
            Gives an event to the broker; returns whether that went well.
        tell:
            Tells the others, and the inbox, what was sent.
    """

    def __init__(
        self, share: Share, publish: Callable[[Event], bool], tell: Callable[[], object]
    ) -> None:
        self._share = share
        self._publish = publish
        self._tell = tell
        self._next_look = 0.0
        self.forgotten = 0
        """Events that another forwarder has sent."""

    def look(self, in_hand: Mapping[int, deque[Event]]) -> None:
        """Look, if it is time to, through the events of the shards that are not sent from here."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _LOOK
        mine = self._share.held
        others = {shard: events for shard, events in in_hand.items() if shard not in mine}
        if not any(others.values()):
            return
        progress = self._share.progress()
        for shard, waiting in others.items():
            self._forget_sent(waiting)
            self._send_orphans(waiting, progress.get(shard, 0.0) - _GRACE)

    def _forget_sent(self, waiting: deque[Event]) -> None:
        known = self._share.sent([event.id for event in waiting])
        left = [event for event in waiting if event.id not in known]
        for event in waiting:
            if event.id in known:
                self.forgotten += 1
                event.ack()
        waiting.clear()
        waiting.extend(left)

    def _send_orphans(self, waiting: deque[Event], before: float) -> None:
        # Their sender is past them and has not sent them: it was not connected when they came.
        while waiting and waiting[0].received_at.timestamp() < before:
            if not self._publish(waiting[0]):
                return
            waiting.popleft()
            self._tell()
