"""
Who may send the events of a shard: leases in Redis, renewed by a thread.

A lease is believed in for less time than Redis grants it, by a clock of this machine that
goes on while the process or the machine is frozen. Whoever wakes up late finds the
time over before anything else.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import redis
from redis.exceptions import LockError
from redis.lock import Lock

from ... import ConfigError
from .cluster import Cluster
from .ledger import connect_redis
from .shards import owner_of


__all__ = ["Leases", "monotonic"]

_log = logging.getLogger("evolution_ws.forward")

# The share of a lease that its holder trusts; the rest is for an event on its way to the
# broker, and for clocks that do not go equally fast.
_TRUSTED = 0.75

# Rounds in the time of a lease.
_ROUNDS = 6

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def monotonic() -> float:
    """Return the seconds of a clock that counts suspended time where the system has one."""
    # CLOCK_MONOTONIC stands still while a laptop or a virtual machine sleeps; Redis does not.
    return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)


class Leases:
    """
    The leases that one forwarder holds.

    Args:
        cluster:
            The settings.
        prefix:
            What the keys in Redis begin with.
        is_ready:
            Whether events arrive here; where they do not, others are preferred.
    """

    def __init__(
        self, cluster: Cluster, prefix: str, is_ready: Callable[[], bool] = lambda: True
    ) -> None:
        self._cluster = cluster
        self._prefix = prefix
        self._is_ready = is_ready
        self.member = uuid.uuid4().hex
        """Name of this forwarder in the cluster."""
        self.connection = connect_redis(cluster.redis_url, max(0.5, cluster.lease / 2))
        """The Redis of the cluster."""
        self._redis: Any = self.connection
        self._locks = {shard: self._new_lock(shard) for shard in range(cluster.shards)}
        # Written by the thread alone, read by whoever sends.
        self._until: dict[int, float] = {}
        self._leaving: set[int] = set()
        self._offset = 0.0
        self._progress: dict[int, float] = {}
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stopping = False
        self._complaint: str | None = None
        self._thread: threading.Thread | None = None

    def _new_lock(self, shard: int) -> Lock:
        # A token for the whole object: it is taken by one thread and asked about by others.
        return Lock(
            self._redis,
            f"{self._prefix}:lease:{shard}",
            timeout=self._cluster.lease,
            blocking=False,
            thread_local=False,
        )

    # What the sender asks

    def holds(self, shard: int) -> bool:
        """Return whether the events of *shard* may be sent, at this very moment."""
        return monotonic() < self._until.get(shard, 0.0)

    @property
    def held(self) -> frozenset[int]:
        """The shards whose events may be sent now."""
        return frozenset(shard for shard in range(self._cluster.shards) if self.holds(shard))

    def note_progress(self, shard: int, received_before: float) -> None:
        """Tell the others that everything received here until then (Unix time) was sent."""
        self._progress[shard] = received_before

    def progress(self) -> dict[int, float]:
        """Return until when everything received by its holder was sent, by shard (Unix time)."""
        shards = range(self._cluster.shards)
        found = self._redis.mget([f"{self._prefix}:progress:{shard}" for shard in shards])
        return {
            shard: float(value) - self._offset
            for shard, value in zip(shards, found, strict=True)
            if value is not None
        }

    # The thread

    def start(self) -> None:
        """
        Join the cluster.

        Raises:
            ConfigError: Another forwarder has a different number of shards.
        """
        try:
            self._check_shards()
        except redis.RedisError as exc:
            self._complain(_away(exc))
        self._thread = threading.Thread(target=self._run, name="evolution-ws-lease", daemon=True)
        self._thread.start()

    def _check_shards(self) -> None:
        key, mine = f"{self._prefix}:shards", str(self._cluster.shards)
        seconds = self._milliseconds(10)
        if not self._redis.set(key, mine, nx=True, px=seconds):
            theirs = self._redis.get(key)
            if theirs not in (mine, None):
                raise ConfigError(
                    f"the other forwarders of this cluster have {theirs} shards, not {mine}; give "
                    f"all of them the same number, or stop them for {seconds // 1000} seconds first"
                )

    def _milliseconds(self, leases: float) -> int:
        return int(self._cluster.lease * leases * 1000)

    def _run(self) -> None:
        pause = self._cluster.lease / _ROUNDS
        while not self._stopping:
            try:
                self._round()
                self._complain(None)
            except redis.RedisError as exc:
                self._complain(_away(exc))
            except ConfigError as exc:
                # Redis was away when this forwarder started, or has forgotten everything since.
                self._until.clear()
                self._complain(f"{exc}. Until then this one sends nothing")
            try:
                self._wake.get(timeout=pause)
            except queue.Empty:
                pass
        self._leave()

    def _round(self) -> None:
        self._check_shards()
        members = self._meet()
        wanted = {s for s in self._locks if owner_of(s, members) == self.member}
        if self._cluster.shards == 1 and self.member in members:
            # With nothing to share out, a hand-over would only cost time.
            wanted |= set(self._until)
        for shard in self._leaving:
            self._release(shard)
        self._leaving = {shard for shard in self._until if shard not in wanted}
        for shard in self._leaving:
            # Given back in the next round: by then what is being sent has been noted.
            self._until.pop(shard)
        for shard in wanted:
            self._renew(shard)
        self._tell_progress()

    def _meet(self) -> list[str]:
        """Say that this member lives, and return the members among which shards are shared."""
        seconds, micros = self._redis.time()
        now = seconds + micros / 1e6
        self._offset = now - time.time()
        everybody, ready = f"{self._prefix}:members", f"{self._prefix}:ready"
        with self._redis.pipeline() as pipeline:
            pipeline.zadd(everybody, {self.member: now + self._cluster.lease})
            if self._is_ready():
                pipeline.zadd(ready, {self.member: now + self._cluster.lease})
            else:
                pipeline.zrem(ready, self.member)
            for key in (everybody, ready):
                pipeline.zremrangebyscore(key, "-inf", now)
                pipeline.pexpire(key, self._milliseconds(10))
                pipeline.zrange(key, 0, -1)
            pipeline.pexpire(f"{self._prefix}:shards", self._milliseconds(10))
            answers = pipeline.execute()
        members: list[str] = answers[-2] or answers[4]
        return members

    def _renew(self, shard: int) -> None:
        lock, before = self._locks[shard], monotonic()
        had = shard in self._until
        try:
            if had:
                lock.reacquire()
            elif not lock.acquire():
                return
        except LockError:  # it ended, and may be somebody else's by now
            self._until.pop(shard, None)
            _log.warning("lost the lease of shard %d: this process was busy or frozen", shard)
            return
        self._until[shard] = before + self._cluster.lease * _TRUSTED
        if not had:
            _log.info("this forwarder sends the events of shard %d now", shard)

    def _release(self, shard: int) -> None:
        try:
            self._locks[shard].release()
            _log.info("another forwarder sends the events of shard %d now", shard)
        except LockError:
            pass  # it had ended by itself

    def _tell_progress(self) -> None:
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard, when in list(self._progress.items()):
                if self.holds(shard):
                    key = f"{self._prefix}:progress:{shard}"
                    pipeline.set(key, when + self._offset, px=self._milliseconds(10))
            pipeline.execute()

    def _complain(self, complaint: str | None) -> None:
        """Tell what keeps this forwarder from sending, once; None when nothing does."""
        if complaint is not None and complaint != self._complaint:
            _log.warning("%s", complaint)
        elif complaint is None and self._complaint is not None:
            _log.info("the Redis of the cluster can be used again")
        self._complaint = complaint

    def _leave(self) -> None:
        held, self._until = [*self._until, *self._leaving], {}
        try:
            self._redis.zrem(f"{self._prefix}:members", self.member)
            self._redis.zrem(f"{self._prefix}:ready", self.member)
            for shard in held:
                self._release(shard)
        except redis.RedisError:
            pass  # the lease ends by itself

    def close(self) -> None:
        """Give all leases back, so that another forwarder goes on at once."""
        self._stopping = True
        self._wake.put(None)
        if self._thread is not None:
            self._thread.join()
        self._redis.close()


def _away(exc: Exception) -> str:
    return (
        f"the Redis of the cluster cannot be used ({type(exc).__name__}); events wait in the inbox "
        "until it can. Start it, or correct the address"
    )
