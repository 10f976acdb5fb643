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
from ._dispatch import Dispatcher, shard_of
from ._emitter import Emitter
from ._holding import Holding
from ._hub import Hub
from ._intake import Intake
from ._seen import SeenMessages
from .config import ClientConfig
from .exceptions import ConnectError, EvolutionError
from .state import ConnectionState, Stats


if TYPE_CHECKING:
    from ._durable import DurableInbox
    from .rest import Api

_numbers = itertools.count(1)

# States from which a client can be started.
_BEFORE = (ConnectionState.NEW, ConnectionState.FAILED)
# States in which nothing goes on by itself.
_ENDED = (*_BEFORE, ConnectionState.CLOSED)
# Seconds that the end of the connection takes at most.
_LONGEST_END = 3.0
# Share of the time for closing that is left to the durable inbox, and the most of it in seconds.
_STORE_SHARE = 0.25
_STORE_MOST = 1.0


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
        self.durable = self._new_durable(name) if config.durable else None
        self.hub = Hub(config, self.durable)
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
        self._configuring: Api | None = None
        self._is_patched = _process.gevent_state()
        _process.register(self)

    def _new_durable(self, name: str) -> DurableInbox:
        from ._durable import DurableInbox
        from ._durable_writer import Surroundings

        assert self.config.durable is not None
        around = Surroundings(
            coverage=self._coverage,
            recover=self._recover,
            fail=self._fail,
            shard_of=shard_of,
            is_draining=lambda: self.dispatcher.is_working(),
        )
        return DurableInbox(self.config.durable, self.config, around, name)

    def _fail(self, error: EvolutionError) -> None:
        """End for good; on the thread of the durable inbox."""
        self.connection.fail(error)
        self.connection.wait_until(self.connection.has_ended, _LONGEST_END)

    def _coverage(self) -> tuple[float, dict[str, float]]:
        session = self.connection.session
        last_seen = session.complete_until if session is not None else None
        return self.backfill.coverage(last_seen, self.intake.follows_root)

    def _recover(
        self,
        coverage: tuple[float, dict[str, float]] | None,
        seen: list[tuple[str, str, bool]],
    ) -> None:
        """Go on where an earlier run ended; on the thread that opened the durable inbox."""
        self.seen.restore(seen)
        if coverage is not None:
            origin, covered = coverage
            self.backfill.resume(covered, origin)

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
        is_closed = self.connection.state is ConnectionState.CLOSED
        if is_closed:
            self.backfill.stop()
        self.hub.close(error)
        if self.durable is None:
            _process.is_closed(self)
        elif is_closed:
            self.durable.request_close()
        else:
            self.durable.end_when_read()

    def _configure(self) -> None:
        """Switch on what the consumers want; on the supervisor, before the first connection."""
        if self._configuring is None:
            return
        wanted = self.hub.types
        for name in self.address.instances or ():
            self._configuring.ensure_events(name, "*" if wanted is None else sorted(wanted))

    def start(self) -> bool:
        """Connect in the background unless that goes on already; return whether this call did."""
        connection = self.connection
        if connection.has_ended():
            _process.check_gevent(self._is_patched)
        if connection.state is ConnectionState.FAILED:
            # The supervisor that failed may still be closing what is opened again here.
            connection.wait_until(connection.has_ended, _LONGEST_END)
            self.hub.reopen()
        if self.durable is not None and connection.state in _BEFORE:
            self.durable.open()
            _process.close_at_exit(self)
        if self.config.configure and self._configuring is None:
            # One of its own, which close() closes: a call under way must not hold it up.
            self._configuring = self.new_api()
        started = connection.start()
        if started:
            _process.close_at_exit(self)
        if not connection.has_ended():
            self._start_callbacks(started)
        elif self.durable is not None and connection.state is ConnectionState.CLOSED:
            self.durable.request_close()  # closed by another thread meanwhile
        return started

    def _start_callbacks(self, has_started: bool) -> None:
        try:
            self.dispatcher.start()
        except ConnectError as exc:
            if has_started:
                self.connection.abandon(exc)
            raise

    def after_fork(self) -> None:
        """Become new in the child of a fork: locks and queues afresh, the socket let go of."""
        if self.durable is not None:
            self.durable.after_fork()
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
        if self.durable is not None and self.connection.state in _ENDED:
            self.durable.request_close()

    def close(self, timeout: float) -> bool:
        """End everything within *timeout* seconds; return whether nothing is left."""
        deadline = time.monotonic() + timeout
        self.backfill.stop()
        if self._configuring is not None:
            self.connection.request_close()  # first, so that it is no failure of the attempt
            self._configuring.close()
        closed = self.connection.close(timeout)
        self.hub.close(None)
        closed &= self.backfill.finish(max(0.0, deadline - time.monotonic()))
        share = min(_STORE_MOST, timeout * _STORE_SHARE) if self.durable is not None else 0.0
        closed &= self.dispatcher.finish(max(0.0, deadline - share - time.monotonic()))
        if self.durable is not None:  # after the callbacks: it notes what they have done
            closed &= self.durable.close(max(0.0, deadline - time.monotonic()))
        # Not earlier: a process that ends meanwhile has to wait for all of this.
        _process.is_closed(self)
        return closed

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
