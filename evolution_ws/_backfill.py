"""
Messages that were emitted while this client was not there to hear them.

The server keeps them in its history, which is asked for each window of time in
which something may have been missed: a gap in the connection, or the time until
a namespace came into being.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import attrs

from ._history import HistoryReader, event_of
from ._holding import EVERY_INSTANCE, Holding
from ._seen import SeenMessages
from ._windows import Windows
from ._workers import Workers
from .events import Event
from .exceptions import ApiError, ClientClosed, ConnectError, EvolutionError
from .lifecycle import LifecycleEvent


if TYPE_CHECKING:
    from .rest import Api

_log = logging.getLogger("evolution_ws")

# Some channels emit a message and store it a moment later.
_SETTLE = 1.0
# Live events wait this long for the history at most.
_LONGEST_HOLD = 10.0
# Pauses between attempts when the history cannot be had; some five minutes in all.
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 60.0, 60.0, 90.0)
# Answers that another attempt will not change.
_FINAL = frozenset({400, 401, 403, 404})


@attrs.define(eq=False)
class _Job:
    """One window of one instance that is to be filled."""

    instance: str
    start: float
    due: float
    hold_until: float
    attempts: int = 0
    replayed: int = 0


class Backfill:
    """
    Fills gaps from a thread of its own, which exists only while there are any.

    Args:
        instances:
            Names of the instances; None for every instance of the server.
        since:
            Unix time from which on messages are wanted; None: from the first connection on.
        api:
            Makes the REST companion; None when there is no key for it.
        is_wanted:
            Tells whether anybody consumes events of a name.
        deliver:
            Delivers an event when there is room; returns False when the client is closing.
    """

    def __init__(
        self,
        instances: tuple[str, ...] | None,
        since: float | None,
        api: Callable[[], Api] | None,
        seen: SeenMessages,
        holding: Holding,
        is_wanted: Callable[[str], bool],
        deliver: Callable[[Event, int], bool],
        notify: Callable[[LifecycleEvent], object],
        name: str,
    ) -> None:
        self.windows = Windows(instances or (EVERY_INSTANCE,), since)
        self._make_api = api
        self._seen = seen
        self._holding = holding
        self._is_wanted = is_wanted
        self._deliver = deliver
        self._notify = notify
        self._name = f"{name}-backfill"
        self._expected: set[str] = set()
        """Instances whose events are held for a window that is about to be scheduled."""
        self._history = HistoryReader()
        self.replayed = 0
        self._begin()

    def _begin(self) -> None:
        self._changing = threading.Lock()
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()
        """Has the thread look again."""
        self._jobs: dict[str, _Job] = {}
        self._workers = Workers()
        self._is_working = False
        """Whether a thread looks after the jobs."""
        self._stopped = False
        self._api: Api | None = None

    def after_fork(self) -> None:
        """Forget the parent's gaps: in this process nothing was missed yet."""
        self._begin()
        self.windows.after_fork()
        self._expected = set()

    def resume(self, covered: Mapping[str, float], origin: float) -> None:
        """Go on where an earlier run ended; see :meth:`.Windows.resume`."""
        self.windows.resume(covered, origin)

    def coverage(self, until: float | None, is_global: bool) -> tuple[float, dict[str, float]]:
        """
        Return the time before which nothing is wanted, and up to when nothing is missing.

        Args:
            until:
                Up to when all events of the present connection have arrived; None: there is none.
            is_global:
                Whether that connection brings the events of all instances.

        Threads:
            Any.
        """
        # What is held is not delivered yet, and lost if the process is killed.
        present = None if self._holding else until
        return self.windows.origin, self.windows.snapshot(present, is_global)

    # Called by the supervisor

    def started(self) -> None:
        """Note that the client wants events from now on, or from *since* on."""
        self.windows.start()
        self._history.origin = self.windows.origin

    def before_open(self, is_first: bool) -> None:
        """Hold what will arrive, where something older may have to come first."""
        if self._has_use() and (self.windows.catches_up or not is_first):
            self._hold(self.windows.names)

    def not_opened(self) -> None:
        """Note that the attempt failed; it may have brought events before that."""
        for name in list(self._expected):
            if self._holding.has_events(name):
                self._schedule(name, time.time())
            elif name not in self._jobs:
                self._let_go(name)
            else:
                self._expected.discard(name)

    def opened(self, joined: Iterable[str], is_first: bool) -> None:
        """
        Note that the connection is open, and which instances are joined.

        Args:
            is_first:
                Whether it is the first attempt, before which nothing can have been missed.
        """
        now = time.time()
        self.windows.live(joined)
        if is_first and not self.windows.catches_up:
            self.windows.begin(now)
            return
        for name in self.windows.names:
            self._schedule(name, now)

    def hold_late(self, instances: Iterable[str]) -> None:
        """Hold the events of instances that are about to be joined late, if that has a use."""
        if self._has_use():
            self._hold(instances)

    def _hold(self, names: Iterable[str]) -> None:
        if not self._stopped:
            self._expected.update(names)
            self._holding.hold(names)

    def _has_use(self) -> bool:
        return self._make_api is not None and self._is_wanted("messages.upsert")

    def joined_late(self, instance: str) -> None:
        """Note that an instance is joined that was pending when the connection opened."""
        self._schedule(instance, time.time())
        self.windows.live([instance])

    def left(self, instance: str, from_root: bool) -> None:
        """
        Note that the server took this client out of an instance's namespace just now.

        Args:
            from_root:
                Whether that is ``/``, which brought the instance's events without a join of
                its own.
        """
        self.windows.left(instance, from_root)

    def session_ended(self, until: float, is_global: bool) -> None:
        """Note the end of the connection, all of whose events up to *until* have arrived."""
        self.windows.ended(until, is_global)

    def stop(self) -> None:
        """End the thread soon, whatever it does."""
        self._stopped = True
        self._calls.put(None)
        if self._api is not None:
            self._api.close()
        if not self._is_working:
            self._holding.release_all()

    def finish(self, timeout: float) -> bool:
        """Wait for the thread's end at most *timeout* seconds; return whether it ended."""
        return not self._workers.wait(timeout)

    def _schedule(self, name: str, now: float) -> None:
        if not self._has_use():
            why = ApiError(
                0, ("messages are not fetched: no api key, no consumer, or backfill=False",)
            )
            self._report(_Job(name, self.windows.owe(name, now), 0, 0), now, why)
            self.windows.settle(name, now)
            self._let_go(name)
            return
        with self._changing:
            self._expected.discard(name)
            if self._stopped:
                return
            # A job that waits already begins at the same time or earlier, and ends when it runs.
            clock = time.monotonic()
            start = self.windows.owe(name, now)
            job = self._jobs[name] = _Job(name, start, clock + _SETTLE, clock + _LONGEST_HOLD)
            self._calls.put(None)
            error = self._start_thread()
        if error is not None:
            self._done(job, now, error)

    def _start_thread(self) -> EvolutionError | None:
        """Start the thread unless it runs; return why that is impossible, or None."""
        if self._is_working:
            return None
        self._is_working = True
        try:
            self._workers.start(self._work, self._name)
        except ConnectError as exc:
            self._is_working = False
            return exc
        return None

    # The thread

    def _work(self) -> None:
        while self._has_jobs():
            job = self._next_job()
            if job is None:
                self._release_impatient()
            else:
                self._run(job)
        if self._stopped:  # otherwise what is held waits for a window that is yet to come
            self._holding.release_all()

    def _has_jobs(self) -> bool:
        with self._changing:
            if self._jobs and not self._stopped:
                return True
            self._jobs.clear()
            self._is_working = False  # the next gap starts another
            return False

    def _next_job(self) -> _Job | None:
        """Return the job that is due; None, after a wait, when none is due yet."""
        with self._changing:
            job = min(self._jobs.values(), key=lambda job: job.due, default=None)
        if job is None:
            return None
        wait = job.due - time.monotonic()
        if wait <= 0:
            return job
        with suppress(queue.Empty):
            self._calls.get(timeout=min(wait, 1.0))
        return None

    def _release_impatient(self) -> None:
        now = time.monotonic()
        for job in list(self._jobs.values()):
            if job.hold_until < now and job.instance not in self._expected:
                self._holding.release(job.instance)

    def _run(self, job: _Job) -> None:
        end = time.time()
        try:
            self._fill(job, end)
        except ClientClosed:
            return
        except EvolutionError as exc:
            if not self._postpone(job, exc):
                self._done(job, end, exc)
            return
        except Exception as exc:  # a bug; the gap is reported as incomplete
            _log.exception("backfill of %s failed", job.instance)
            self._done(job, end, exc)
            return
        self._done(job, end, None)

    def _postpone(self, job: _Job, exc: EvolutionError) -> bool:
        """Plan another attempt; return False when there is no point in one."""
        if getattr(exc, "status", 0) in _FINAL or job.attempts >= len(_PAUSES):
            return False
        if job.attempts == 0:
            _log.warning("cannot fetch the missed messages of %s yet: %s", job.instance, exc)
        job.due = time.monotonic() + _PAUSES[job.attempts]
        job.attempts += 1
        return True

    def _done(self, job: _Job, end: float, error: Exception | None) -> None:
        with self._changing:
            if self._jobs.get(job.instance) is job:
                del self._jobs[job.instance]
                if error is None:  # otherwise the next gap tries this window again
                    self.windows.settle(job.instance, end)
        self._report(job, end, error)
        # An event that waits for the next window must not come before that one is filled.
        if job.instance not in self._jobs and job.instance not in self._expected:
            self._holding.release(job.instance)

    def _let_go(self, name: str) -> None:
        self._expected.discard(name)
        self._holding.release(name)

    def _report(self, job: _Job, end: float, error: Exception | None) -> None:
        name = "" if job.instance == EVERY_INSTANCE else job.instance
        if error is None:
            _log.info("fetched %d missed messages of %s", job.replayed, name or "all instances")
        else:
            _log.warning("messages of %s may be missing: %s", name or "all instances", error)
        self._notify(
            LifecycleEvent(
                type="gap",
                instance=name,
                start=_utc(job.start),
                end=_utc(end),
                replayed=job.replayed,
                complete=error is None,
                error=error,
            )
        )

    def _fill(self, job: _Job, end: float) -> None:
        if self._api is None:
            assert self._make_api is not None
            self._api = self._make_api()
        names = [job.instance]
        if job.instance == EVERY_INSTANCE:
            names = [instance.name for instance in self._api.instances()]
        for name in names:
            for record in self._history.records(self._api, name, job.start, end):
                self._replay(job, name, record)

    def _replay(self, job: _Job, instance: str, record: dict[str, Any]) -> None:
        event, size = event_of(record, instance)
        key = record.get("key")
        number = key.get("id") if isinstance(key, dict) else None
        if not self._seen.is_new(instance, str(number or record.get("id") or event.id)):
            return
        if time.monotonic() > job.hold_until and job.instance not in self._expected:
            self._holding.release(job.instance)
        if not self._deliver(event, size):
            raise ClientClosed("the client is being closed")
        job.replayed += 1
        self.replayed += 1
        if job.replayed % 5_000 == 0:
            _log.info("fetched %d missed messages of %s so far", job.replayed, instance)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
