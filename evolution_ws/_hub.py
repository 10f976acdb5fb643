"""Hand each event to every consumer that wants it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from ._queue import EventQueue
from .config import ClientConfig, Overflow
from .events import Event
from .lifecycle import LIFECYCLE_TYPES, LifecycleEvent


if TYPE_CHECKING:
    # SQLite is loaded by those who want it only.
    from ._durable import DurableInbox
    from ._durable_queue import DurableQueue

_log = logging.getLogger("evolution_ws")

Delivered = Event | LifecycleEvent

# Lifecycle events are small; what they hold has no size on the wire.
_LIFECYCLE_SIZE = 1000

# Names that the index holds; a server could invent new ones for ever.
_MOST_NAMES = 1_000

# Queues that are durable without having been asked to.
_STREAMS = {"the inbox": "inbox"}

# A look at whether the hub was closed, for a producer that waits for a slow consumer.
_PATIENCE = 1.0
# Seconds after which a full queue counts as one that nobody reads.
_UNREAD = 10.0


@attrs.define(eq=False)
class Consumer:
    """A queue, and which events go into it."""

    queue: EventQueue[Delivered] | DurableQueue
    types: frozenset[str] | None = None
    """Names of events, lifecycle ones included; None for all events of the wire."""
    instances: frozenset[str] | None = None
    """Names of instances; None for all."""
    lifecycle: frozenset[str] = frozenset()
    """Names of lifecycle events that are wanted beside all events of the wire."""

    given_up_at: int | None = None
    """How many events had been taken when the wait for room was given up; None: it never was."""

    @property
    def taken(self) -> int:
        """Return how many events were taken out of the queue."""
        return self.queue.accepted - len(self.queue)

    def wants(self, name: str) -> bool:
        """Return whether events named *name* are consumed."""
        if self.types is None:
            return name not in LIFECYCLE_TYPES or name in self.lifecycle
        return name in self.types

    def accepts(self, event: Delivered) -> bool:
        """Return whether *event*, of a name that is wanted, is consumed."""
        return self.instances is None or concerns(event, self.instances)


def concerns(event: Delivered, instances: frozenset[str] | None) -> bool:
    """Return whether *event* is one of *instances*, or of the connection that carries them all."""
    if instances is None or event.instance in instances:
        return True
    return isinstance(event, LifecycleEvent) and not event.instance


class Hub:
    """The consumers of one client. Holds the client's threads off the client itself."""

    def __init__(self, config: ClientConfig, durable: DurableInbox | None = None) -> None:
        self._config = config
        self._durable = durable
        # A signal handler may close the client while this thread changes something here.
        self._changing = threading.RLock()
        # Replaced as a whole, so that the socket's thread reads them without a lock: first the
        # consumers, then the index, so that no index outlives the consumers it was made from.
        self._consumers: tuple[Consumer, ...] = ()
        self._by_name: dict[str, tuple[Consumer, ...]] = {}
        self._gone_accepted = 0
        self._gone_dropped = 0
        self._error: Exception | None = None
        self._is_closed = False

    @property
    def auto_ack(self) -> bool:
        """Whether an event is done when its consumer comes back for the next one."""
        return self._config.auto_ack

    @property
    def is_durable(self) -> bool:
        """Whether events are kept on disk until they are done."""
        return self._durable is not None

    def new_queue(
        self,
        label: str,
        maxsize: int | None = None,
        overflow: Overflow | None = None,
        stream: str | None = None,
    ) -> EventQueue[Delivered] | DurableQueue:
        """
        Return a queue with the client's limits, or others where given.

        Args:
            label:
                What the log calls it.
            stream:
                Its name in a durable inbox, if there is one.
        """
        config = self._config
        stream = stream or _STREAMS.get(label)
        if self._durable is not None and stream is not None:
            return self._durable.new_queue(stream, _reporter(label))
        queue: EventQueue[Delivered] = EventQueue(
            # Without an inbox there may be callbacks and subscriptions all the same.
            maxsize or config.queue_size or ClientConfig().queue_size,
            config.queue_bytes,
            overflow or config.overflow,
            config.put_timeout,
            _reporter(label),
        )
        return queue

    def add(self, consumer: Consumer) -> None:
        """Let *consumer* have the events from now on."""
        with self._changing:
            self._consumers = (*self._consumers, consumer)
            self._by_name = {}
            if self._is_closed:
                consumer.queue.close(self._error)

    def remove(self, consumer: Consumer) -> None:
        """Let *consumer* have no more events."""
        with self._changing:
            if consumer in self._consumers:
                self._consumers = tuple(c for c in self._consumers if c is not consumer)
                self._by_name = {}
                self._gone_accepted += consumer.queue.accepted - len(consumer.queue)
                self._gone_dropped += consumer.queue.dropped

    def refresh(self) -> None:
        """Take into account that consumers want other events now."""
        self._by_name = {}

    def wants(self, name: str, instance: str | None = None) -> bool:
        """Return whether any consumer wants events named *name*, of *instance* if it is known."""
        consumers = self._by_name.get(name)
        if consumers is None:
            consumers = self._consumers_of(name)
        if instance is None:
            return bool(consumers)
        for consumer in consumers:
            if consumer.instances is None or instance in consumer.instances:
                return True
        return False

    def _consumers_of(self, name: str) -> tuple[Consumer, ...]:
        index = self._by_name
        consumers = tuple(consumer for consumer in self._consumers if consumer.wants(name))
        if len(index) < _MOST_NAMES:
            index[name] = consumers
        return consumers

    @property
    def types(self) -> frozenset[str] | None:
        """Return the names of the events of the wire that are wanted; None for all."""
        wanted: frozenset[str] = frozenset()
        for consumer in self._consumers:
            if consumer.types is None:
                return None
            wanted |= consumer.types
        return wanted - LIFECYCLE_TYPES

    def deliver(self, event: Delivered, size: int = _LIFECYCLE_SIZE) -> None:
        """Put *event*, which takes *size* bytes of memory, into the queues that want it."""
        name = event.type
        consumers = self._by_name.get(name)
        if consumers is None:
            consumers = self._consumers_of(name)
        is_shared = self._durable is not None and len(consumers) > 1
        for consumer in consumers:
            if consumer.accepts(event):
                consumer.queue.put(_own(event) if is_shared else event, size)

    def deliver_patiently(self, event: Event, size: int) -> bool:
        """
        Deliver *event* as soon as there is room for it; return False once this is closed.

        A full queue that nobody reads is not waited for: one that was forgotten, such as the
        inbox of a client that has callbacks, must not hold the others up.
        """
        consumers = self._consumers_of(event.type)
        is_shared = self._durable is not None and len(consumers) > 1
        for consumer in consumers:
            if consumer.accepts(event):
                self._wait_for_room(consumer, size)
                if self._is_closed:
                    return False
                consumer.queue.put(_own(event) if is_shared else event, size)
        return not self._is_closed

    def _wait_for_room(self, consumer: Consumer, size: int) -> None:
        taken, since = consumer.taken, time.monotonic()
        if taken == consumer.given_up_at:
            return
        while not consumer.queue.wait_for_room(size, _PATIENCE) and not self._is_closed:
            if consumer.taken != taken:
                taken, since = consumer.taken, time.monotonic()
            elif time.monotonic() - since > _UNREAD:
                consumer.given_up_at = taken
                return

    def close(self, error: Exception | None = None) -> None:
        """End every queue; consumers read what is left, then get *error*."""
        with self._changing:
            self._is_closed, self._error = True, error
            for consumer in self._consumers:
                consumer.queue.close(error)

    def reopen(self) -> None:
        """Take events again after a failure."""
        with self._changing:
            self._is_closed, self._error = False, None
            for consumer in self._consumers:
                consumer.queue.reopen()

    def after_fork(self) -> None:
        """Start with empty queues: the events in them are the parent's, and so are the locks."""
        self._changing = threading.RLock()
        for consumer in self._consumers:
            consumer.queue = consumer.queue.fresh()

    @property
    def delivered(self) -> int:
        """Return the number of events that consumers took."""
        return self._gone_accepted + sum(
            consumer.queue.accepted - len(consumer.queue) for consumer in self._consumers
        )

    @property
    def dropped(self) -> int:
        """Return the number of events thrown away."""
        return self._gone_dropped + sum(consumer.queue.dropped for consumer in self._consumers)

    @property
    def waiting(self) -> tuple[int, int]:
        """Return the number of events that wait, and the memory that they take in bytes."""
        queues = [consumer.queue for consumer in self._consumers]
        return sum(map(len, queues)), sum(queue.waiting_bytes for queue in queues)


def _own(event: Delivered) -> Delivered:
    """Return an event for one consumer: done for one of them is not done for all."""
    return event._copy() if isinstance(event, Event) else event


def _reporter(label: str) -> Callable[[int], None]:
    def report(dropped: int) -> None:
        if dropped:
            _log.warning("%s: %d events were dropped while it was full", label, dropped)
        else:
            _log.warning("%s is full: events are being dropped; its consumer is too slow", label)

    return report
