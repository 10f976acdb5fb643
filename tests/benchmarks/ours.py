"""evolution_ws in its ways of use; imported late, so that orjson can be hidden before."""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evolution_ws import Client, Event
from tests.benchmarks.job import EVENT, Job, Tally


ROOMY = {"queue_size": 1_000_000, "queue_bytes": 1 << 30}  # nothing is dropped in a burst


class LoopPeer:
    """``for event in client.events()``."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.client = self._make(**{**ROOMY, **job.options.get("client", {})})

    def _make(self, **options: Any) -> Client:
        job = self._job
        instances = [*job.instances, *job.options.get("quiet", ())]
        return Client(job.url, instances, api_key=job.api_key, backfill=False, **options)

    def connect(self) -> None:
        self.client.connect(timeout=30)

    def _events(self, count: int, idle: float) -> Iterator[Event]:
        return self.client.events(limit=count, timeout=idle)

    def take(self, count: int, tally: Tally, idle: float) -> None:
        for event in self._events(count, idle):
            tally.add(event.data)

    def emit(self, event: str, data: Any) -> None:
        self.client.emit(event, data, instance=self._job.instances[0])

    def close(self) -> None:
        self.client.close()


class DurablePeer(LoopPeer):
    """The same loop, with every event on disk before it is seen."""

    def _make(self, **options: Any) -> Client:
        self._folder = tempfile.TemporaryDirectory()
        return super()._make(**options, durable=str(Path(self._folder.name) / "inbox.db"))

    def close(self) -> None:
        super().close()
        self._folder.cleanup()


class SubscriptionPeer(LoopPeer):
    """
    No inbox, one subscription to one type and one instance.

    Options of the job: ``instance`` narrows the subscription, ``extra`` opens that many
    further subscriptions, to the events named by ``extra_type``.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        options = job.options
        limits: dict[str, Any] = {"maxsize": ROOMY["queue_size"]}
        self._extra = [
            self.client.subscribe(options.get("extra_type", EVENT), **limits)
            for _ in range(options.get("extra", 0))
        ]
        self._stream = self.client.subscribe(EVENT, instance=options.get("instance"), **limits)

    def _make(self, **options: Any) -> Client:
        return super()._make(**{**options, "queue_size": 0})

    def _events(self, count: int, idle: float) -> Iterator[Event]:
        return self._stream.events(limit=count, timeout=idle)


class CallbackPeer(LoopPeer):
    """
    Callbacks, and ``client.run()``, which takes the inbox away.

    Options of the job: ``extra`` registers that many further callbacks for ``extra_type``.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._turns: queue.SimpleQueue[tuple[Tally, int]] = queue.SimpleQueue()
        self._finished = threading.Event()
        self._tally: Tally | None = None
        self._count = 0
        for _ in range(job.options.get("extra", 0)):
            self.client.on(job.options.get("extra_type", EVENT), callback=_another())
        self.client.on(EVENT, callback=self._on_event)

    def connect(self) -> None:
        threading.Thread(target=self.client.run, daemon=True).start()
        self.client.wait_connected(timeout=30)

    def _on_event(self, event: Event) -> None:
        if self._tally is None:
            self._tally, self._count = self._turns.get()
        self._tally.add(event.data)
        if self._tally.seen == self._count:
            self._tally = None
            self._finished.set()

    def take(self, count: int, tally: Tally, idle: float) -> None:
        self._finished.clear()
        self._turns.put((tally, count))
        before = -1
        while not self._finished.wait(idle) and before != tally.seen:
            before = tally.seen


def _another() -> Any:
    return lambda event: None
