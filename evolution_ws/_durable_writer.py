"""
The thread that writes: everything that it finds, in one transaction after the other.

A burst costs one wait for the disk, and a lone event does not wait for others.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import attrs

from ._durable_entry import Entry, Signals
from ._durable_queue import DurableQueue
from ._durable_stream import Stream
from ._packing import unpack
from ._store import Coverage, Row, Seen, Store
from ._store_errors import damaged, explained
from ._store_lock import StoreLock
from .config import ClientConfig
from .events import Event
from .exceptions import InboxError


_log = logging.getLogger("evolution_ws")

CALLBACKS = "callbacks-"
"""How the names of the callback threads' streams begin; a number from 1 follows."""

# The writer looks at least this often: it heals a call that an interrupted consumer did not make.
_TICK = 1.0
# The same while it waits for the last consumers.
_LAST_TICK = 0.05
# Events that are done are removed together; until then a crash delivers them again.
_GATHER = 0.02
# How often it is written down up to when everything was received: with events, and without.
_COVER_BUSY = 1.0
_COVER_IDLE = 5.0
# Longest wait for somebody else who notes an event after the end.
_LATE_PATIENCE = 0.2
# Pages given back to the file system when the file is closed, as a number of rounds.
_LAST_ROUNDS = 20


@attrs.frozen(kw_only=True)
class Surroundings:
    """What a durable inbox needs of the rest of its client."""

    coverage: Callable[[], Coverage]
    """Returns up to when everything was received, as of now."""
    recover: Callable[[Coverage | None, list[Seen]], object]
    """Gets what the file knows of earlier runs, before anything is received."""
    fail: Callable[[InboxError], object]
    """Ends the client for good; returns when that is done, or takes too long."""
    shard_of: Callable[[Event, int], int]
    """Returns which of several callback threads handles an event, counted from 0."""
    is_draining: Callable[[], bool]
    """Returns whether callbacks are still at work."""


class Writer:
    """
    Owns the open file and its streams. Made, used and closed by one thread.

    Args:
        busy:
            Held while SQLite works, so that a fork can wait for the end of it.
        may_end:
            Told whether everything was handed out that anybody waits for, returns whether to end
            now; None while there is no talk of an end.

    Raises:
        InboxError: The file cannot be used.
    """

    def __init__(
        self,
        path: str,
        queues: Mapping[str, DurableQueue],
        signals: Signals,
        config: ClientConfig,
        around: Surroundings,
        busy: threading.Lock,
        may_end: Callable[[Callable[[], bool]], bool | None],
    ) -> None:
        self._signals = signals
        self._around = around
        self._busy = busy
        self._may_end = may_end
        self._streams: dict[str, Stream] = {}
        self._covered_at = 0.0
        self._has_written = False
        with busy:
            with explained(path):
                self._lock = StoreLock(path)
            try:
                self._store = store = Store(path)
            except BaseException:
                self._lock.release()
                raise
        try:
            with busy, store.transaction():
                _reshard(store, queues, around.shard_of)
                self._run = store.begin_run()
                totals = {name: store.add_stream(name) for name in queues}
                self._coverage, seen = store.coverage(), store.seen()
                if self._coverage is None:
                    # From now on something can be missed, even if this process is killed at once.
                    store.cover((time.time(), {}))
            around.recover(self._coverage, seen)
        except BaseException:
            self.close(None)
            raise
        for name, total in totals.items():
            stream = Stream(queues[name], store, signals, total, config)
            self._streams[name] = stream
            stream.queue.attach(signals)
        _log.info("opened the durable inbox %s", path)

    def work(self) -> None:
        """Write and read until the end."""
        has_more = False
        while True:
            ends = self._may_end(self._is_read)
            # What was received up to here is among the events that are gathered afterwards.
            coverage = self._due_coverage(ends is True)
            tick = _TICK if ends is None else _LAST_TICK
            entries = self._gather(0.0 if ends or has_more else tick)
            with self._busy:
                self._write(entries, coverage)
                has_more = sum(stream.load() for stream in self._streams.values()) > 0
            for stream in self._streams.values():
                stream.queue.settle()
            if ends:
                return

    def cut_off(self) -> None:
        """Take nothing more to the disk."""
        for stream in self._streams.values():
            stream.queue.cut_off()

    def close(self, error: InboxError | None) -> None:
        """Close the file; after an error, what is in memory stays there for consumers."""
        for stream in self._streams.values():
            stream.queue.detach(error)
        with self._busy:
            if error is None:
                self._shrink(_LAST_ROUNDS)
            self._store.close()
            self._lock.release()
        if error is None:
            self._signals.late = self._finish_late
            for late in list(self._signals.done):  # it came between the last look and here
                self._finish_late(late)

    def _finish_late(self, entry: Entry) -> None:
        """
        Note that an event is done after the end; on the thread of its consumer.

        A loop that is ended by closing the client comes back from its last event afterwards.
        Does nothing if the file has been used since, where the event is delivered again.
        """
        path = self._store.path
        try:
            lock = StoreLock(path, _LATE_PATIENCE)
        except InboxError:
            return
        try:
            if os.path.exists(path):
                _remove(path, self._run, entry)
        except InboxError as exc:
            _log.warning("an event will be delivered again: %s", exc)
        finally:
            lock.release()

    def leak(self) -> None:
        """Let go of everything in the child of a fork."""
        self._store.leak()

    def _is_read(self) -> bool:
        """Return whether nothing is left to hand out to anybody who was there so far."""
        if self._around.is_draining():
            return False
        return all(stream.queue.is_read for stream in self._streams.values())

    # What came

    def _gather(self, timeout: float) -> list[Entry]:
        """Return what was put, after a wait of at most *timeout* for anything."""
        entries = self._take(timeout)
        if timeout > 0 and self._signals.done:
            # Nobody waits for the note that an event is done: let there be some more.
            deadline = time.monotonic() + _GATHER
            while not entries and not self._can_load:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                entries = self._take(left)
        return entries

    @property
    def _can_load(self) -> bool:
        return any(stream.can_load for stream in self._streams.values())

    def _take(self, timeout: float) -> list[Entry]:
        signals = self._signals
        try:
            if timeout > _GATHER:
                signals.is_resting = True
                if signals.done:  # noted before it could be seen that a call was needed
                    return []
            first = signals.put.get(timeout=timeout) if timeout > 0 else signals.put.get_nowait()
        except queue.Empty:
            return []
        finally:
            signals.is_resting = False
        found = [first, *(signals.put.get_nowait() for _ in range(signals.put.qsize()))]
        return [entry for entry in found if entry is not None]

    def _due_coverage(self, ends: bool) -> Coverage | None:
        """Return up to when everything was received, if that has to be written down now."""
        pause = _COVER_BUSY if self._has_written else _COVER_IDLE
        now = time.monotonic()
        if not ends and now < self._covered_at + pause:
            return None
        coverage = self._around.coverage()
        if not coverage[1]:  # nothing was begun yet
            return None
        self._covered_at, self._has_written = now, False
        return coverage if coverage != self._coverage else None

    # What is done with it

    def _write(self, entries: list[Entry], coverage: Coverage | None) -> None:
        done = self._take_done()
        if entries or done or coverage is not None:
            with self._store.transaction():
                for name, finished in done.items():
                    self._streams[name].remove(finished)
                self._store.see(self._write_entries(entries))
                if coverage is not None:
                    self._store.cover(coverage)
        for stream in self._streams.values():
            stream.release()
        self._has_written = self._has_written or bool(entries)
        if coverage is not None:
            self._coverage = coverage
            self._shrink(1)

    def _take_done(self) -> dict[str, list[Entry]]:
        done = self._signals.done
        return _by_stream([done.popleft() for _ in range(len(done))])

    def _write_entries(self, entries: list[Entry]) -> list[Seen]:
        """Write what is for each queue; return the messages in them, each once."""
        seen: dict[Seen, None] = {}
        for name, share in _by_stream(entries).items():
            seen.update(dict.fromkeys(self._streams[name].write(share)))
        return list(seen)

    def _shrink(self, rounds: int) -> None:
        try:
            while rounds > 0 and self._store.shrink():
                rounds -= 1
        except InboxError:  # a larger file than need be is no harm; what is one shows up elsewhere
            pass


def _by_stream(entries: list[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.queue.stream, []).append(entry)
    return found


def _remove(path: str, run: int, entry: Entry) -> None:
    store = Store(path)
    try:
        with store.transaction():
            if store.run == run:
                store.remove(entry.queue.stream, [entry.number])
    finally:
        store.close()


def _reshard(
    store: Store, queues: Mapping[str, DurableQueue], shard_of: Callable[[Event, int], int]
) -> None:
    """Spread the events for callbacks anew, if the number of their threads has changed."""
    old = [name for name in store.streams() if name.startswith(CALLBACKS)]
    new = [name for name in queues if name.startswith(CALLBACKS)]
    if not old or not new or set(old) == set(new):
        return

    def spread() -> Iterator[tuple[str, Row]]:
        number = 0
        # The events of a chat are all in one of the old streams: their order survives.
        for name in old:
            for _, size, packed in store.rows(name, 0, -1):
                number += 1
                try:
                    shard = shard_of(unpack(packed), len(new))
                except ValueError:
                    raise damaged(store.path) from None
                yield f"{CALLBACKS}{shard + 1}", (number, size, packed)

    store.replace_streams(old, spread())
