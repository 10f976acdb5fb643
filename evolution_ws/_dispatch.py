"""The threads that run callbacks."""

from __future__ import annotations

import functools
import logging
import threading
import zlib

import attrs

from ._callbacks import Callbacks, Outcome
from ._hub import Consumer, Delivered, Hub
from ._queue import QueueClosed
from ._workers import Workers
from .exceptions import ConnectError, QueueOverflow
from .lifecycle import LifecycleEvent


_log = logging.getLogger("evolution_ws")


@attrs.define(eq=False)
class _Shard(Consumer):
    """The share of the events that one of several threads handles."""

    number: int = 0
    count: int = 1

    def accepts(self, event: Delivered) -> bool:
        if self.count > 1 and shard_of(event, self.count) != self.number:
            return False
        return super().accepts(event)


class Dispatcher:
    """
    Runs callbacks in order, off the threads of the connection.

    With several threads, events of one chat go to the same one and stay in
    order; lifecycle events go to the first.
    """

    def __init__(
        self,
        callbacks: Callbacks,
        hub: Hub,
        workers: int,
        name: str,
    ) -> None:
        self._callbacks = callbacks
        self._hub = hub
        self._name = name
        self._count = workers
        self._begin()
        self._shards = [
            _Shard(
                hub.new_queue("the queue of the callbacks", stream=f"callbacks-{number + 1}"),
                number=number,
                count=workers,
            )
            for number in range(workers)
        ]
        self._is_listening = False

    def _begin(self) -> None:
        self._changing = threading.Lock()
        self._workers = Workers()
        self._idle = set(range(self._count))
        """Numbers of the shards without a thread; who takes one out of it gives it one."""
        self._again: set[int] = set()
        """Those that were started while they had one, which may have come to its end."""

    def refresh(self) -> None:
        """Take the callbacks as they are now into account."""
        with self._changing:
            types, lifecycle = self._callbacks.types, self._callbacks.lifecycle_types
            for shard in self._shards:
                shard.lifecycle, shard.types = lifecycle, types
                if not self._is_listening and len(self._callbacks):
                    self._hub.add(shard)
            self._is_listening = self._is_listening or len(self._callbacks) > 0
            self._hub.refresh()

    def start(self) -> None:
        """
        Start the threads, if there are callbacks, except for those that run.

        Raises:
            ConnectError: The process can start no thread.
        """
        if not self._is_listening:
            return
        for shard in self._shards:
            self._again.add(shard.number)
            if shard.number in self._idle and self._claim(shard):
                self._start(shard)

    def _claim(self, shard: _Shard) -> bool:
        """Take over a shard without a thread; return False if another thread was faster."""
        try:
            self._idle.remove(shard.number)
        except KeyError:
            return False
        self._again.discard(shard.number)
        return True

    def _start(self, shard: _Shard) -> None:
        suffix = f"-{shard.number + 1}" if self._count > 1 else ""
        work = functools.partial(self._work, shard)
        try:
            self._workers.start(work, f"{self._name}-callbacks{suffix}")
        except ConnectError as exc:
            self._idle.add(shard.number)
            raise ConnectError(f"callbacks cannot run: {exc}") from None

    def _work(self, shard: _Shard) -> None:
        while True:
            self._run_callbacks(shard)
            self._idle.add(shard.number)
            if shard.number not in self._again or not self._claim(shard):
                return

    def _run_callbacks(self, shard: _Shard) -> None:
        """Run the callbacks for the events of a shard, until there will be no more."""
        try:
            hand: list[Delivered] = []
            while True:
                try:
                    shard.queue.take(hand)
                except QueueOverflow as exc:  # there is no loop that could raise it to the user
                    _log.error("callbacks: %s", exc)
                    continue
                event = hand.pop()
                outcome = self._callbacks.run(event)
                # What failed is delivered again after a restart; what nobody took never is.
                if outcome is Outcome.NOBODY or (self._hub.auto_ack and outcome is Outcome.DONE):
                    event.ack()
        except QueueClosed:
            pass
        except Exception as exc:
            # The reason for which the client failed: run() and events() raise it to the user.
            _log.debug("callbacks end: %s", type(exc).__name__)

    def is_working(self) -> bool:
        """Return whether any thread is at work or waits for some."""
        return bool(self._workers)

    def after_fork(self) -> None:
        """Forget the threads, which exist in the parent only."""
        self._begin()
        if not self._is_listening:  # otherwise the hub knows the shards
            for shard in self._shards:
                shard.queue = shard.queue.fresh()

    def finish(self, timeout: float) -> bool:
        """
        Wait until the callbacks of all events received before the end have run.

        Args:
            timeout:
                Longest wait in seconds. Afterwards the events that are left are thrown
                away, so that the threads end with the callback that runs.

        Returns:
            Whether all threads ended.
        """
        late = self._workers.wait(timeout)
        if late:
            for shard in self._shards:
                shard.queue.discard()
            _log.warning("a callback has not returned; %s goes on without being waited for", late)
        return not late


def shard_of(event: Delivered, count: int) -> int:
    """Return which of *count* threads handles *event*: the same one for all events of a chat."""
    if isinstance(event, LifecycleEvent):
        return 0
    return zlib.crc32(f"{event.instance}/{_chat_of(event.data)}".encode(errors="replace")) % count


def _chat_of(data: object) -> str:
    """Return what identifies the chat of an event, as far as a glance tells."""
    if isinstance(data, list):
        data = data[0] if data else None
    if not isinstance(data, dict):
        return ""
    key = data.get("key")
    where = key if isinstance(key, dict) else data
    return str(where.get("remoteJid") or where.get("id") or "")
