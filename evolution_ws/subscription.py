"""A stream of events that loops and calls take from."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from ._hub import Consumer, Delivered, Hub, concerns
from ._names import event_names
from ._queue import QueueClosed
from ._source import Source
from .exceptions import ClientClosed


__all__ = ["Subscription"]

Matches = Callable[[Delivered], bool]


class Subscription(Source):
    """
    An independent, bounded stream of a client's events, from :meth:`Client.subscribe`.

    Several threads that iterate one subscription share the work; two
    subscriptions each see every event. Example::

        with client.subscribe("messages.upsert") as messages:
            for event in messages:
                print(event.message.text)

    It lives until it is closed or the client is; what arrived before that can
    still be read.
    """

    def __init__(
        self,
        hub: Hub,
        consumer: Consumer,
        start: Callable[[], object],
        owner: object = None,
    ) -> None:
        self._hub = hub
        self._consumer = consumer
        self._start = start
        # A client that nobody holds closes itself; whoever holds a stream of it holds it too.
        self._owner = owner
        self._former = threading.local()
        hub.add(consumer)

    def __repr__(self) -> str:
        types = self._consumer.types
        names = "all events" if types is None else ", ".join(sorted(types))
        return f"<Subscription to {names}, {len(self._consumer.queue)} waiting>"

    def __len__(self) -> int:
        """Return the number of events that wait."""
        return len(self._consumer.queue)

    def __bool__(self) -> bool:
        """Return True: an empty subscription is still one."""
        return True

    def __iter__(self) -> Iterator[Any]:
        return self.events()

    def events(
        self,
        *types: str,
        instance: str | Iterable[str] | None = None,
        timeout: float | None = None,
        limit: int | None = None,
    ) -> Iterator[Any]:
        """
        Return a blocking iterator over the events.

        With a durable inbox an event is done when the loop comes back for the next one. The one
        at which the loop is left, by ``break`` or an exception, is not: it is delivered again
        after a restart, unless :meth:`.Event.ack` was called.

        Args:
            types:
                Names of the events to yield, in any spelling; none of them yields all.
                What does not match is taken from the stream all the same.
            instance:
                Name or names of the instances whose events to yield; None for all.
            timeout:
                Seconds without a matching event after which the iterator ends; None
                waits for ever, 0 ends as soon as nothing waits.
            limit:
                Number of events after which the iterator ends; None has no limit.

        Raises:
            ConfigError: A name is no name.
            ConnectionLost: Reconnecting was given up; what arrived before is yielded first.
            AuthenticationError: The server refused the key, at first or later on.
            QueueOverflow: Events are missing here, and the policy is to raise.
            InboxError: The durable inbox cannot be used, or not any more.

        Threads:
            Any. Connects the client unless it is connected. Ends quietly once the client or the
            subscription is closed and read to the end.
        """
        return self.iterate(types, instance, timeout, limit, self._owner)

    def iterate(
        self,
        types: Iterable[str],
        instance: str | Iterable[str] | None,
        timeout: float | None,
        limit: int | None,
        owner: object,
    ) -> Iterator[Any]:
        """Return the iterator of :meth:`events`, which keeps *owner* alive as long as it lives."""
        matches = _matcher(event_names(types), instance_names(instance))
        return self._iterate(matches, timeout, limit, owner)

    def _iterate(
        self, matches: Matches, timeout: float | None, limit: int | None, owner: object
    ) -> Iterator[Delivered]:
        self._start()
        given = 0
        while limit is None or given < limit:
            hand: list[Delivered] = []
            try:
                self._take_matching(hand, matches, timeout)
                # From here to the yield nothing can be interrupted: no call, no jump back.
                event = hand[0]
                del hand[0]
            except (QueueClosed, TimeoutError):
                return
            except BaseException:
                if hand:
                    self._consumer.queue.untake(hand[0])
                del owner  # who keeps the traceback, as IPython does, keeps no client by it
                raise
            given += 1
            yield event
            if self._hub.auto_ack:
                event.ack()

    def _stream(self) -> Subscription:
        return self

    def take(self, hand: list[Delivered], timeout: float | None) -> None:
        """
        Move the oldest event into *hand*, an empty list that the caller keeps.

        What :meth:`get` is made of, with its errors.
        """
        self._finish_former()
        self._start()
        try:
            self._take_matching(hand, _everything, timeout)
        except QueueClosed:
            raise ClientClosed("closed, and all events are read; make a new one") from None
        if self._hub.is_durable and self._hub.auto_ack:
            self._former.event = hand[0]

    def put_back(self, hand: list[Delivered]) -> None:
        """Return what :meth:`take` moved into *hand* to the stream, if anything."""
        if hand:
            self._former.event = None
            self._consumer.queue.untake(hand[0])

    def _finish_former(self) -> None:
        """Note that this thread is done with the event that :meth:`get` gave it before."""
        former = getattr(self._former, "event", None)
        if former is not None:
            del self._former.event
            former.ack()

    def _take_matching(
        self, hand: list[Delivered], matches: Matches, timeout: float | None
    ) -> None:
        """Move the next matching event into *hand*; the others are done."""
        deadline = None if timeout is None else time.monotonic() + timeout
        left = timeout
        while True:
            self._consumer.queue.take(hand, left)
            if matches(hand[0]):
                return
            hand[0].ack()
            del hand[0]
            if deadline is not None:
                left = max(0.0, deadline - time.monotonic())

    def close(self) -> None:
        """
        End the stream; a second call does nothing.

        Threads:
            Any. Whoever iterates reads what has arrived, then ends.
        """
        self._hub.remove(self._consumer)
        self._consumer.queue.close()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _everything(event: Delivered) -> bool:
    return True


def _matcher(types: frozenset[str] | None, instances: frozenset[str] | None) -> Matches:
    if types is None and instances is None:
        return _everything

    def matches(event: Delivered) -> bool:
        if types is not None and event.type not in types:
            return False
        return concerns(event, instances)

    return matches


def instance_names(instance: str | Iterable[str] | None) -> frozenset[str] | None:
    """Return the names that a user gave; None for every instance."""
    if instance is None or instance == "*":
        return None
    return frozenset((instance,) if isinstance(instance, str) else instance)
