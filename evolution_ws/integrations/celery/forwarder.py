"""Turn the events of a client into task calls."""

from __future__ import annotations

import logging
import queue as queues
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import redis

from ... import Client, ClientClosed, ConfigError, Event, EvolutionError
from .._select import wire_names
from ._signals import stopped_by_signals
from .cluster import Cluster
from .publish import BrokerAway, EventRefused, Publisher
from .share import Alone, Share, Together
from .standby import Standby


__all__ = ["ForwardStats", "Forwarder", "forward"]

_log = logging.getLogger("evolution_ws.forward")

# A stop that was asked for, and a lease that was won, are noticed after this time at the latest.
_TICK = 0.1

# Events in hand; the rest waits in the client's inbox, whose limits the user has set.
_IN_HAND = 2_000

# Events after which the others are told what was sent: so many are sent twice after a kill.
_BATCH = 50

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0


@attrs.frozen(kw_only=True)
class ForwardStats:
    """What a forwarder has done so far; a snapshot."""

    sent: int = 0
    """Events that the broker took from here."""
    duplicates: int = 0
    """Events that another forwarder had sent."""
    refused: int = 0
    """Events that the broker will never take."""
    waiting: int = 0
    """Events in hand; those of the client's inbox are in its own stats."""
    held: frozenset[int] = frozenset()
    """The shards that are sent from here."""


def forward(
    app: Any,
    client: Client,
    *,
    task: Any,
    queue: str | Callable[[Event], str] | None = None,
    routing_key: str | Callable[[Event], str] | None = None,
    types: tuple[str, ...] = (),
    cluster: Cluster | None = None,
    options: Mapping[str, Any] | None = None,
    check_task: bool = True,
) -> None:
    """
    Call *task* for each event of *client*, until SIGTERM, Ctrl-C or the client's end.

    The task gets one argument, ``event.to_dict()``; its id is ``event.id``. An event leaves
    the client's inbox when the broker has confirmed it: while the broker is away, events wait
    there. Order is kept up to the broker; for order in the workers see :func:`per_chat`.

    Args:
        app:
            The Celery app, whose broker is used.
        client:
            Its inbox is read; it connects by itself and is closed here. A durable one needs
            ``auto_ack=False``.
        task:
            The task or its name. Derive it from :class:`EventTask` where events must not be
            handled twice.
        queue:
            Name of the queue, or a function that gives it for an event; None as the app routes.
        routing_key:
            The same for the routing key, for instance :func:`chat_key`.
        types:
            Names of the events to forward, in any spelling; none for all.
        cluster:
            The other forwarders of the same events; None when this is the only one.
        options:
            Further arguments of ``apply_async``, such as ``{"priority": 3}``. Results are
            ignored unless ``{"ignore_result": False}``.
        check_task:
            Whether the app has to know the task here; its workers need it anyhow.

    Raises:
        ConfigError: The arguments cannot work, or there is no such task.
        EvolutionError: The client's connection failed for good.

    Threads:
        Blocks. In the main thread signals end it; elsewhere use :class:`Forwarder`.
    """
    Forwarder(
        app,
        client,
        task=task,
        queue=queue,
        routing_key=routing_key,
        types=types,
        cluster=cluster,
        options=options,
        check_task=check_task,
    ).run()


class Forwarder:
    """
    What :func:`forward` runs, for those who need to stop it; the arguments are the same.

    Threads:
        :meth:`run` in one thread, once; everything else in any.
    """

    def __init__(
        self,
        app: Any,
        client: Client,
        *,
        task: Any,
        queue: str | Callable[[Event], str] | None = None,
        routing_key: str | Callable[[Event], str] | None = None,
        types: tuple[str, ...] = (),
        cluster: Cluster | None = None,
        options: Mapping[str, Any] | None = None,
        check_task: bool = True,
    ) -> None:
        _check_inbox(client)
        self._client = client
        self._types = wire_names((types,) if isinstance(types, str) else types)
        self._publisher = Publisher(app, task, queue, routing_key, options, check_task)
        self._share: Share = Alone()
        if cluster is not None:
            is_ready = lambda: client.is_connected  # noqa: E731 - a property, asked each time
            self._share = Together(cluster, self._publisher.task_name, is_ready)
        self._in_hand: dict[int, deque[Event]] = {}
        self._standby = Standby(self._share, self._publish, self._tell)
        # Sent, but the others could not be told yet.
        self._untold: list[Event] = []
        self._stopping = False
        self._wake: queues.SimpleQueue[None] = queues.SimpleQueue()
        self._broker_is_away = False
        self._pause = _FIRST_PAUSE
        self._sent = self._duplicates = self._refused = 0

    @property
    def stats(self) -> ForwardStats:
        """The counters, as a snapshot."""
        return ForwardStats(
            sent=self._sent,
            duplicates=self._duplicates + self._standby.forgotten,
            refused=self._refused,
            waiting=self._waiting,
            held=self._share.held,
        )

    @property
    def _waiting(self) -> int:
        return sum(map(len, list(self._in_hand.values())))

    def stop(self) -> None:
        """Let :meth:`run` return after the event in hand; never blocks."""
        self._stopping = True
        self._wake.put(None)

    def run(self) -> None:
        """
        Forward events until :meth:`stop`, a signal or the client's end.

        Raises:
            ConfigError: Another forwarder of the cluster has a different number of shards.
            EvolutionError: The client's connection failed for good.
        """
        try:
            self._share.start()
            with stopped_by_signals(self.stop):
                while not self._stopping:
                    self._turn()
        finally:
            self._share.close()
            self._client.close()
            self._publisher.close()
            _log.info(
                "stopped: %d events sent, %d were sent already, %d wait",
                self._sent,
                self._duplicates + self._standby.forgotten,
                self._waiting,
            )

    def _turn(self) -> None:
        ended: EvolutionError | None = None
        begun = time.time()
        has_drained = False
        try:
            has_drained = self._take()
        except EvolutionError as exc:
            ended = exc
        try:
            self._send_held()
            if has_drained:
                self._note_drained(begun)
            self._standby.look(self._in_hand)
        except redis.RedisError as exc:
            # The thread of the leases says so to the user.
            _log.debug("Redis: %s", type(exc).__name__)
            self._nap(_TICK)
        if ended is not None:
            self._stopping = True
            if not isinstance(ended, ClientClosed):
                raise ended

    # From the inbox

    def _take(self) -> bool:
        """Take what waits, as far as it fits; return whether the inbox is empty."""
        held = self._share.held
        if any(events for shard, events in self._in_hand.items() if shard in held):
            patience = 0.0
        else:
            patience = _TICK
        for _ in range(_IN_HAND - self._waiting):
            try:
                event = self._client.get(patience)
            except TimeoutError:
                return True
            patience = 0.0
            if self._types is not None and event.type not in self._types:
                event.ack()
                continue
            shard = self._share.shard_of(event.instance)
            waiting = self._in_hand.setdefault(shard, deque())
            waiting.append(event)
            if len(waiting) >= _BATCH and shard in held:
                return False
        self._nap(patience)
        return False

    # To the broker

    def _send_held(self) -> None:
        self._tell()
        for shard, waiting in self._in_hand.items():
            while waiting and self._share.holds(shard):
                if not self._send_batch(shard, waiting):
                    break

    def _send_batch(self, shard: int, waiting: deque[Event]) -> bool:
        """Send the oldest events of *shard*; return whether all of them could be sent."""
        batch = [waiting[number] for number in range(min(_BATCH, len(waiting)))]
        known = self._share.sent([event.id for event in batch])
        try:
            for event in batch:
                if event.id in known:
                    self._duplicates += 1
                    event.ack()
                # Looked at for each event: this process may have been frozen since the last one.
                elif not (self._share.holds(shard) and self._publish(event)):
                    return False
                waiting.popleft()
        finally:
            self._tell()
        self._share.note_progress(shard, batch[-1].received_at.timestamp())
        return True

    def _publish(self, event: Event) -> bool:
        """Give *event* to the broker; return False when it is not there, or when this is to end."""
        if self._stopping:
            return False
        try:
            self._publisher.publish(event)
        except BrokerAway as exc:
            self._wait_for_broker(exc)
            return False
        except EventRefused as exc:
            self._refused += 1
            _log.error(
                "the broker will not take %s (%s); it stays in a durable inbox, and is tried "
                "again after a restart",
                event.id,
                exc,
            )
            return True
        self._sent += 1
        self._untold.append(event)
        if self._broker_is_away:
            self._broker_is_away = False
            _log.info("the broker takes events again")
        return True

    def _wait_for_broker(self, exc: BrokerAway) -> None:
        if not self._broker_is_away:
            self._broker_is_away = True
            self._pause = _FIRST_PAUSE
            _log.warning(
                "the broker %s takes no events (%s); they wait in the inbox until it does. Start "
                "it, or correct broker_url",
                self._publisher.broker,
                exc,
            )
        self._nap(self._pause)
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)

    def _tell(self) -> None:
        """Tell the others what was sent, and then the inbox: never the other way round."""
        if self._untold:
            self._share.add([event.id for event in self._untold])
            for event in self._untold:
                event.ack()
            self._untold.clear()

    def _note_drained(self, when: float) -> None:
        """Note that nothing waits that was received before *when*."""
        for shard in self._share.held:
            if not self._in_hand.get(shard):
                self._share.note_progress(shard, when)

    def _nap(self, seconds: float) -> None:
        try:
            self._wake.get(timeout=seconds) if seconds > 0 else None
        except queues.Empty:
            pass


def _check_inbox(client: Client) -> None:
    config = client.config
    if config.queue_size == 0:
        raise ConfigError("a forwarder reads the client's inbox, so queue_size must not be 0")
    if config.durable and config.auto_ack:
        raise ConfigError(
            "make the client of a forwarder with auto_ack=False: an event is to leave the durable "
            "inbox when the broker has it, not before"
        )
