"""
The parts of one client, put together.

Threads hold the core and never the :class:`~evolution_ws.Client`, so that a
client which nobody holds any more can be noticed and closed.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from . import _process
from ._address import Address
from ._backfill import Backfill
from ._callbacks import Callbacks
from ._connection import Connection
from ._credentials import Credentials
from ._dispatch import Dispatcher
from ._emitter import Emitter
from ._holding import Holding
from ._hub import Hub
from ._intake import Intake
from ._seen import SeenMessages
from .config import ClientConfig
from .exceptions import EvolutionError
from .state import ConnectionState, Stats


if TYPE_CHECKING:
    from .rest import Api

_numbers = itertools.count(1)


class Core:
    """Wires intake, hub, callbacks, connection and emitter of one client."""

    def __init__(
        self,
        address: Address,
        config: ClientConfig,
        api_key: str | Callable[[], str | None] | None,
    ) -> None:
        self.address = address
        self.config = config
        name = f"evolution-ws-{next(_numbers)}"
        self.hub = Hub(config)
        self.callbacks = Callbacks(config.callback_context, config.on_error)
        self.dispatcher = Dispatcher(self.callbacks, self.hub, config.callback_workers, name)
        self.credentials = Credentials(api_key or address.api_key, config)
        self.seen = SeenMessages()
        self.holding = Holding(self.hub.deliver, config.queue_bytes // 2)
        self.intake = Intake(
            address.instances,
            config,
            self.hub.wants,
            self.hub.deliver,
            self._is_joined,
            # Without a history there is nothing that messages could be compared with.
            self.seen if self._has_history() else None,
            self.holding,
        )
        self.backfill = self._new_backfill(name)
        self.connection = Connection(
            address,
            config,
            self.credentials,
            self.intake,
            self.backfill,
            self.hub.deliver,
            self._ended,
            self._configure,
            name,
        )
        self.emitter = Emitter(address, self.connection, self.start)
        self._api: Api | None = None
        self._is_patched = _process.gevent_state()
        _process.register(self)

    def _has_history(self) -> bool:
        return self.config.backfill and self.credentials.has_key

    def _new_backfill(self, name: str) -> Backfill:
        config = self.config
        return Backfill(
            self.address.instances,
            config.since.timestamp() if config.since else None,
            self.new_api if self._has_history() else None,
            self.seen,
            self.holding,
            self.hub.wants,
            self.hub.deliver_patiently,
            self.hub.deliver,
            name,
        )

    def api(self) -> Api:
        """Return the REST companion that the client shares."""
        if self._api is None:
            self._api = self.new_api()
        return self._api

    def new_api(self) -> Api:
        """Return a REST companion with the settings of this client."""
        from .rest import Api

        config = self.config
        return Api(
            self.address.base_url,
            self.credentials.current,
            verify=config.verify,
            cert=config.cert,
            proxy=config.proxy,
            origin=config.origin,
            headers=config.headers,
        )

    def _is_joined(self, namespace: str) -> bool:
        return self.connection.joins.is_joined(namespace)

    def _ended(self, error: EvolutionError | None) -> None:
        """Tell the consumers; runs on the supervisor."""
        if self.connection.state is ConnectionState.CLOSED:
            self.backfill.stop()
        self.hub.close(error)
        _process.is_closed(self)

    def _configure(self) -> None:
        """Switch on what the consumers want; on the supervisor, before the first connection."""
        if not self.config.configure:
            return
        wanted = self.hub.types
        for name in self.address.instances or ():
            self.api().ensure_events(name, "*" if wanted is None else sorted(wanted))

    def start(self) -> bool:
        """Connect in the background unless that goes on already; return whether this call did."""
        connection = self.connection
        if connection.has_ended():
            _process.check_gevent(self._is_patched)
        if connection.state is ConnectionState.FAILED:
            self.hub.reopen()
        started = connection.start()
        if started:
            _process.close_at_exit(self)
        if not connection.has_ended():
            self.dispatcher.start()
        return started

    def after_fork(self) -> None:
        """Become new in the child of a fork: locks and queues afresh, the socket let go of."""
        self.hub.after_fork()
        self.callbacks.after_fork()
        self.dispatcher.after_fork()
        self.seen.after_fork()
        self.holding.after_fork()
        self.backfill.after_fork()
        self.connection.after_fork()
        self.emitter.after_fork()

    def request_close(self) -> None:
        """Ask for the end; never blocks."""
        self.connection.request_close()

    def close(self, timeout: float) -> bool:
        """End everything within *timeout* seconds; return whether nothing is left."""
        deadline = time.monotonic() + timeout
        self.backfill.stop()
        closed = self.connection.close(timeout)
        self.hub.close(None)
        _process.is_closed(self)
        closed &= self.backfill.finish(max(0.0, deadline - time.monotonic()))
        return self.dispatcher.finish(max(0.0, deadline - time.monotonic())) and closed

    def stats(self) -> Stats:
        """Return the counters as they are now."""
        intake, connection = self.intake, self.connection
        waiting, size = self.hub.waiting
        last = intake.last_event
        return Stats(
            received=intake.received,
            delivered=max(0, self.hub.delivered),
            dropped=self.hub.dropped,
            filtered=intake.filtered,
            duplicates=intake.duplicates,
            replayed=self.backfill.replayed,
            malformed=intake.malformed,
            callback_errors=self.callbacks.errors,
            reconnects=connection.reconnects,
            emitted=self.emitter.emitted,
            emits_lost=connection.emits_lost,
            queue_events=waiting,
            queue_bytes=size,
            connected_since=connection.connected_since,
            last_event_at=datetime.fromtimestamp(last, timezone.utc) if last else None,
        )
