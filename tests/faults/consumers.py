"""Consumers that write down what they are given."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from evolution_ws import Client
from tests.faults.ledger import Got, got


class Recorder:
    """Writes down the events of one consumer, and takes its time for it."""

    def __init__(self, age: Callable[[], float], slowness: float, seed: int) -> None:
        self._age = age
        self._slowness = slowness
        self._dice = random.Random(seed)
        self.delivered: list[Got] = []
        self.error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def __call__(self, event: Any) -> None:
        """Write *event* down."""
        self.delivered.append(got(event, self._age()))
        if self._slowness:
            time.sleep(self._dice.random() * self._slowness)

    def follow(self, events: Iterable[Any]) -> None:
        """Iterate *events* on a thread of its own, to their end."""

        def run() -> None:
            try:
                for event in events:
                    self(event)
            except BaseException as exc:
                self.error = exc

        self._thread = threading.Thread(target=run, name="consumer", daemon=True)
        self._thread.start()

    def has_ended(self, timeout: float) -> bool:
        """Wait for the end of what is followed; return whether it came."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()


def consume(client: Client, kind: str, make: Callable[[int], Recorder]) -> list[Recorder]:
    """Return recorders that have every event of *client*, in one of the ways to consume them."""
    if kind == "callbacks":
        recorder = make(0)
        client.on("*", callback=recorder)
        return [recorder]
    if kind == "loop":
        recorder = make(0)
        recorder.follow(client.events())
        return [recorder]
    recorders = [make(0), make(1)]
    for recorder in recorders:
        recorder.follow(client.subscribe())
    return recorders
