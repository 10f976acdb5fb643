"""
The thread that keeps one connection alive.

The supervisor is the only thread that connects, emits, joins, leaves and
closes. Others hand it commands; the thread that reads the socket only notes
what came and notifies it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone

from ._acks import Acknowledgements
from ._address import Address
from ._backfill import Backfill
from ._credentials import Credentials
from ._engine import Session
from ._explain import explain
from ._holding import EVERY_INSTANCE
from ._intake import Intake
from ._joins import Joins
from ._notices import Notices
from ._packets import PacketReader
from ._progress import Progress
from .config import ClientConfig
from .exceptions import (
    AuthenticationError,
    ConfigError,
    ConnectionLost,
    EvolutionError,
    WebsocketDisabledError,
)
from .lifecycle import LifecycleEvent
from .state import ConnectionState


_log = logging.getLogger("evolution_ws")

_S = ConnectionState

# The supervisor looks after its threads this often; everything else wakes it.
_TICK = 1.0
# Commands that are run before it looks after the connection again.
_BATCH = 200
# Longest time in which emits are still written when the client is closed.
_FLUSH = 2.0
# What a server gets to answer the farewell: a dead one never does.
GRACE = 1.0
# A connection that lived this long was a good one: the backoff starts over.
_STABLE = 5.0
# A drop is usually a restart or a hiccup: look soon, and only then back off.
_QUICK = 0.2


class Supervisor(Progress):
    """Connects, reconnects, joins namespaces and sends, until it is told to close."""

    def __init__(
        self,
        address: Address,
        config: ClientConfig,
        credentials: Credentials,
        intake: Intake,
        backfill: Backfill,
        notify: Callable[[LifecycleEvent], object],
        on_end: Callable[[EvolutionError | None], object],
        prepare: Callable[[], object],
        name: str,
    ) -> None:
        super().__init__()
        self._address = address
        self._config = config
        self._credentials = credentials
        self._intake = intake
        self.backfill = backfill
        self._notify = notify
        self._on_end = on_end
        self._prepare = prepare
        self._name = name
        wanted = () if config.global_events is True else address.namespaces
        self.joins = Joins(("/", *wanted), config.connect_timeout)
        self.acks = Acknowledgements()
        self.error: EvolutionError | None = None
        """Why the last attempt failed; None after a success."""
        self.failures = 0
        """Attempts that failed so far."""
        self.reconnects = 0
        self.emits_lost = 0
        self.was_forked = False
        """Whether the client was in use when this process was forked off, and is not yet here."""
        self._connections = 0
        self._was_open = False
        self._is_dismissed = False
        """Whether its owner has closed it, which is for good."""
        self._begin()

    def _begin(self) -> None:
        self.connected_since: datetime | None = None
        self._starting = threading.Lock()
        self._commands: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._watchers: list[queue.SimpleQueue[None]] = []
        self._closing = False
        self._abandoned: EvolutionError | None = None
        self._failure: EvolutionError | None = None
        self._session: Session | None = None
        self._thread: threading.Thread | None = None
        self._has_told = True  # of its end, the last supervisor; no other starts before

    def run(self) -> None:
        """Work until closing, or until going on is pointless; the whole life of the thread."""
        error: EvolutionError | None = None
        try:
            error = self._supervise() or self._failure
        except Exception as exc:  # a bug; it must not look like silence
            _log.exception("the supervisor of %s failed", self._address)
            error = explain(exc, str(self._address))
        self._end(error)

    def _end(self, error: EvolutionError | None) -> None:
        self.acks.fail(ConnectionLost("the connection ended before the server answered"))
        self.connected_since = None
        if error is None and self._abandoned is None:
            self._move(_S.CLOSING)
            self._move(_S.CLOSED)
            _log.info("closed the connection to %s", self._address)
        else:
            error = self.error = error or self._abandoned
            self._move(_S.FAILED)
            if self._abandoned is None:
                _log.error("%s; not trying again", self.error)
        try:
            self._on_end(error)
        finally:
            self._has_told = True
            self.announce()

    def _supervise(self) -> EvolutionError | None:
        """Connect again and again; return why that has no point any more, None when closed."""
        delays, attempt = self._config.backoff.delays(), 0
        while not self._closing:
            attempt += 1
            self._move(_S.CONNECTING)
            error, lived = self._attempt()
            if self._closing:
                break
            if lived > _STABLE:
                delays, attempt = self._config.backoff.delays(), 0
            if error is None:
                delay = _QUICK if lived > _STABLE else next(delays, None)
                error = ConnectionLost(f"the connection to {self._address} drops again and again")
            else:
                delay = None if self._is_final(error) else next(delays, None)
                self._report(error, attempt, delay)
            if delay is None:
                return self._last_word(error, attempt)
            self._move(_S.BACKOFF)
            self._pause(delay)
        return None

    def _attempt(self) -> tuple[EvolutionError | None, float]:
        """Connect and serve; return why it failed, or None and how long it lived in seconds."""
        key: str | None = None
        session: Session | None = None
        try:
            key = self._credentials.fresh()
            session = self._session = self._new_session(key)
            if self._closing:
                return None, 0.0
            if not self._connections:
                self._prepare()
            self._open(session)
        except Exception as exc:
            if session is not None:
                session.close(0, GRACE)
            self.backfill.not_opened()
            return explain(exc, str(self._address), key), 0.0
        started = time.monotonic()
        self._opened()
        reason = self._serve(session)
        self._closed(session, reason)
        return None, time.monotonic() - started

    def _new_session(self, key: str | None) -> Session:
        headers = dict(self._config.headers)
        if key:
            headers["apikey"] = key
        notices = Notices(self)
        session = Session(
            url=self._address.origin,
            path=self._address.socketio_path,
            headers=headers,
            config=self._config,
            reader=PacketReader(self._intake, notices, self._config.max_event_bytes),
            thread_prefix=self._name,
            on_end=lambda: self._commands.put(nothing),
            tls_context=self._credentials.tls_context(self._address.origin),
        )
        notices.session = session
        return session

    def _open(self, session: Session) -> None:
        self.joins.reset()
        self._intake.begin_session()
        self.backfill.before_open(self._is_first_attempt())
        now = time.monotonic()
        names = self.joins.due(now)
        for name in names:
            self.joins.asked(name, now)
        session.open(names)
        while not self.joins.is_settled():
            if session.is_over:
                raise ConnectionLost(
                    f"{self._address} closed the connection before any namespace was joined"
                )
            left = session.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no answer to the join")
            self._run_commands(min(left, _TICK))
            if self._closing:
                return

    def _opened(self) -> None:
        self.error = None
        self.backfill.opened(self._joined_instances(), self._is_first_attempt())
        self.connected_since = datetime.now(timezone.utc)
        self._connections += 1
        self.reconnects = self._connections - 1
        if not self._closing:
            self._move(_S.OPEN)
            _log.info("connected to %s", self._address)
        # A close may come after the first events, and before the joins are answered as well.
        self._was_open = self.joins.is_settled()
        if self._was_open:
            self._notify(LifecycleEvent(type="connect"))
        self.announce()

    def _is_first_attempt(self) -> bool:
        return not self._connections and not self.failures

    def _joined_instances(self) -> list[str]:
        if self._address.instances is None:
            return [EVERY_INSTANCE]
        return [name for name in self._address.instances if self.joins.is_joined("/" + name)]

    def _serve(self, session: Session) -> str:
        """Look after *session* until it ends; return the reason."""
        while not self._closing:
            if session.is_over:
                return "the server closed the connection, or it broke"
            now = time.monotonic()
            if self._config.global_events is False:
                self._tend_root(session, now)
            for name in self.joins.due(now):
                self.joins.asked(name, now)
                session.join(name)
            late = self.joins.overdue(now)
            if late is not None:
                return f"the server did not answer the join of {late}"
            due = self.joins.next_due()
            wait = _TICK if due is None else max(0.0, min(_TICK, due - now))
            if not self._run_commands(wait) and not session.is_healthy():
                return "a thread of the connection died"
        return "closed by this client"

    def _tend_root(self, session: Session, now: float) -> None:
        """Be in ``/`` only as long as it has to hold the connection for a pending namespace."""
        is_needed = not all(self.joins.is_joined(name) for name in self._address.namespaces)
        if self.joins.is_joined("/") and not is_needed:
            session.leave("/")
            self.joins.left("/", now, again=False)
        elif is_needed and self.joins.is_dormant("/"):
            self.joins.left("/", now)

    def _closed(self, session: Session, reason: str) -> None:
        if session.oversized:
            reason = "the server sent an event larger than max_event_bytes"
        if self._closing:
            while self._run_commands(0):  # emits that came before the end
                pass
        session.close(_FLUSH if self._closing else 0, GRACE)
        self.connected_since = None
        self.acks.fail(ConnectionLost("the connection dropped before the server answered"))
        if not self._closing:
            _log.warning("lost the connection to %s: %s", self._address, reason)
        self.backfill.session_ended(session.complete_until, self._intake.follows_root)
        if self._was_open:
            self._notify(LifecycleEvent(type="disconnect", reason=reason))
        self.announce()

    def _is_final(self, error: EvolutionError) -> bool:
        if isinstance(error, (AuthenticationError, ConfigError)):
            return not self._credentials.has_changed()
        return isinstance(error, WebsocketDisabledError) and not self._connections

    def _report(self, error: EvolutionError, attempt: int, delay: float | None) -> None:
        self.error = error
        self.failures += 1
        if delay is not None:
            _log.warning("%s (attempt %d, next in %.1f s)", error, attempt, delay)
        self._notify(
            LifecycleEvent(type="connect_error", error=error, attempt=attempt, delay=delay)
        )
        self.announce()

    def _last_word(self, error: EvolutionError, attempt: int) -> EvolutionError:
        if self._is_final(error) or not self._connections:
            return error
        return ConnectionLost(f"gave up after {attempt} attempts: {error}")

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._closing:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._run_commands(left)

    def _run_commands(self, timeout: float) -> bool:
        """Run what waits; return False when nothing came within *timeout* seconds."""
        commands, ran = self._commands, False
        try:
            command = commands.get(timeout=timeout) if timeout else commands.get_nowait()
            ran = True
            command()
            # A flood of emits must not keep the supervisor from everything else.
            for _ in range(_BATCH):
                commands.get_nowait()()
        except queue.Empty:
            return ran
        return True

    def has_ended(self) -> bool:
        """Return whether nobody works on the connection, and everybody knows."""
        return self._has_told and super().has_ended()

    def submit(self, command: Callable[[], object]) -> None:
        """Have the supervisor run *command*."""
        self._commands.put(command)

    def instances_in(self, namespace: str) -> list[str]:
        """Return the instances whose events come over *namespace*, as far as that is known."""
        if namespace != "/":
            return [] if self._intake.follows_root else [namespace[1:]]
        if self._address.instances is None:
            return [EVERY_INSTANCE]
        is_stream = self._intake.follows_root or self._config.global_events is True
        return list(self._address.instances) if is_stream else []

    def is_open_for(self, session: Session | None) -> bool:
        """Return whether *session* is the present one and was opened completely."""
        return self._state is _S.OPEN and session is self._session

    def is_latest(self, session: Session | None) -> bool:
        """Return whether *session* is the present one."""
        return session is self._session


def nothing() -> None:
    """Wake the supervisor."""
