"""How a client's events are received: loops, subscriptions, callbacks."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, overload

from ._core import Core
from ._hub import Consumer
from ._names import event_names
from ._source import Source
from .config import ClientConfig, Overflow
from .exceptions import ConfigError
from .lifecycle import LIFECYCLE_TYPES
from .state import ConnectionState
from .subscription import Subscription, instance_names


C = TypeVar("C", bound=Callable[..., object])
Names = str | Iterable[str] | None


class Receiver(Source):
    """The receiving half of :class:`~evolution_ws.Client`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._inbox: Subscription | None = None
        if core.config.queue_size:
            queue = core.hub.new_queue("the inbox")
            self._inbox = Subscription(core.hub, Consumer(queue), core.start)

    def events(
        self,
        *types: str,
        instance: Names = None,
        timeout: float | None = None,
        limit: int | None = None,
    ) -> Iterator[Any]:
        """
        Return a blocking iterator over the events of the inbox.

        See :meth:`Subscription.events` for arguments and errors. Events that do
        not match are taken from the inbox as well; for two loops of different
        kinds use :meth:`subscribe`.
        """
        return self._stream().iterate(types, instance, timeout, limit, self)

    def _stream(self) -> Subscription:
        if self._inbox is None:
            raise ConfigError(
                "this client has no inbox (queue_size=0, or run() was called); use subscribe()"
            )
        return self._inbox

    def subscribe(
        self,
        *types: str,
        instance: Names = None,
        maxsize: int | None = None,
        overflow: Overflow | None = None,
    ) -> Subscription:
        """
        Return an independent stream of the events from now on.

        Args:
            types:
                Names of events, in any spelling; none of them, or ``"*"``, for all. The lifecycle
                events (``"connect"``, ``"disconnect"``, ``"connect_error"``, ``"gap"``) have to be
                named.
            instance:
                Name or names of instances; None for all of this client.
            maxsize:
                Events that may wait; None stands for *queue_size*.
            overflow:
                What a full queue does; None stands for the client's policy.

        Raises:
            ConfigError: A name is no name, or *maxsize* is below 1.
        """
        if maxsize is not None and maxsize < 1:
            raise ConfigError(f"maxsize has to be at least 1, not {maxsize}")
        core = self._core
        size = maxsize or core.config.queue_size or ClientConfig().queue_size
        queue = core.hub.new_queue("a subscription", size, overflow)
        lifecycle = LIFECYCLE_TYPES.intersection(types)
        consumer = Consumer(queue, self._names(types), instance_names(instance), lifecycle)
        return Subscription(core.hub, consumer, core.start, owner=self)

    def _names(self, types: tuple[str, ...]) -> frozenset[str] | None:
        core = self._core
        is_global = core.address.instances is None or core.config.global_events is True
        return event_names(types, is_global)

    def wait_for(
        self,
        *types: str,
        predicate: Callable[[Any], object] | None = None,
        instance: Names = None,
        timeout: float | None = None,
    ) -> Any:
        """
        Return the first event from now on that matches, without touching the inbox.

        To wait for what an action brings about, subscribe before acting::

            with client.subscribe("send.message") as sent:
                client.api.send_text("sales", number, "Hi")
                event = sent.get(timeout=10)

        Args:
            types:
                Names of events, lifecycle ones included; none for all events.
            predicate:
                Called with each of them, in this thread; a true answer ends the wait.
            instance:
                Name or names of instances; None for all.
            timeout:
                Longest wait in seconds; None has no limit.

        Raises:
            TimeoutError: None came in time.
            ClientClosed: The client was closed meanwhile.
            EvolutionError: The connection failed for good.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self.subscribe(*types, instance=instance) as stream:
            while True:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                try:
                    event = stream.get(left)
                except TimeoutError:
                    raise TimeoutError(f"no such event within {timeout:g} seconds") from None
                if predicate is None or predicate(event):
                    return event

    @overload
    def on(
        self,
        *types: str,
        callback: None = None,
        instance: Names = None,
        predicate: Callable[[Any], object] | None = None,
    ) -> Callable[[C], C]: ...

    @overload
    def on(
        self,
        *types: str,
        callback: C,
        instance: Names = None,
        predicate: Callable[[Any], object] | None = None,
    ) -> C: ...

    def on(
        self,
        *types: str,
        callback: C | None = None,
        instance: Names = None,
        predicate: Callable[[Any], object] | None = None,
    ) -> C | Callable[[C], C]:
        """
        Register a callback, as a decorator or with *callback*.

        Example::

            @client.on("messages.upsert", predicate=lambda event: not event.message.from_me)
            def answer(event):
                client.reply(event, "Olá!")

        Several callbacks may have the same event. They run one after the other, in order, on a
        thread of their own; the exception of one is logged, counted and handed to
        *on_error*, and stops nothing.

        Args:
            types:
                Names of events, in any spelling; ``"*"`` or none for all; ``"connect"``,
                ``"disconnect"``, ``"connect_error"`` and ``"gap"`` for the connection itself.
            callback:
                Takes the event, or nothing.
            instance:
                Name or names of instances; None for all.
            predicate:
                Gets the event; a false answer keeps it from the callback.

        Raises:
            ConfigError: The callback takes neither one argument nor none, or a name is no name.
        """
        names, instances = self._names(types), instance_names(instance)
        lifecycle = LIFECYCLE_TYPES.intersection(types)

        def register(function: C) -> C:
            callbacks = self._core.callbacks
            callbacks.add(names, function, instances, predicate)
            if names is None and lifecycle:  # "everything" leaves the connection itself out
                callbacks.add(lifecycle, function, instances, predicate)
            self._core.dispatcher.refresh()
            if not self._core.connection.has_ended():
                self._core.dispatcher.start()
            return function

        return register if callback is None else register(callback)

    def off(self, callback: Callable[..., object]) -> bool:
        """Remove every registration of *callback*; return whether there was one."""
        found = self._core.callbacks.remove(callback)
        self._core.dispatcher.refresh()
        return found

    def run(self) -> None:
        """
        Connect, then block while callbacks run, until :meth:`close` or Ctrl-C.

        The inbox is closed, so that nothing piles up in it.

        Raises:
            EvolutionError: The connection failed for good: key refused, attempts used up.
        """
        if self._inbox is not None:
            self._inbox.close()
            self._inbox = None
        connection = self._core.connection
        try:
            self._core.start()
            connection.wait_until(connection.has_ended, None)
        except KeyboardInterrupt:
            pass
        error = connection.error if connection.state is ConnectionState.FAILED else None
        # The callbacks of what arrived before the end may still run.
        self._core.close(self._core.config.close_timeout)
        if error is not None:
            raise copy.copy(error)  # a raised one would hold this client for ever
