"""Live events that wait until older ones have been fetched from the history."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable

from .events import Event


# A history that takes its time must not fill the memory: past this the order gives way.
_MOST_EVENTS = 5_000

EVERY_INSTANCE = "*"

Deliver = Callable[[Event, int], object]


class Holding:
    """Holds the events of some instances back, in order, and lets them go in order."""

    def __init__(self, deliver: Deliver, max_bytes: int) -> None:
        self._deliver = deliver
        self._max_bytes = max_bytes
        self._changing = threading.Lock()
        # Two threads that deliver what was held would mix it up.
        self._releasing = threading.Lock()
        self._holds: Counter[str] = Counter()
        self._held: dict[str, list[tuple[Event, int]]] = {}
        self._bytes = 0

    def __bool__(self) -> bool:
        """Return whether anything may be held."""
        return bool(self._held)

    def has_events(self, instance: str) -> bool:
        """Return whether events are held under this name."""
        return bool(self._held.get(instance))

    def hold(self, instances: Iterable[str]) -> None:
        """Hold the events of *instances* from now on; ``"*"`` stands for all of them."""
        with self._changing:
            for instance in instances:
                self._held.setdefault(instance, [])
                self._holds[instance] += 1

    def take(self, event: Event, size: int) -> bool:
        """Hold *event* if it has to wait; return whether it does."""
        with self._changing:
            name = event.instance if event.instance in self._held else EVERY_INSTANCE
            held = self._held.get(name)
            if held is None:
                return False
            if len(held) < _MOST_EVENTS and self._bytes + size <= self._max_bytes:
                held.append((event, size))
                self._bytes += size
                return True
        self.release(name)
        return self.take(event, size)

    def release(self, instance: str) -> None:
        """Deliver what is held of *instance*, and hold no more of it, unless it is held anew."""
        with self._releasing:
            begun = self._holds[instance]
            while True:
                with self._changing:
                    if self._holds[instance] != begun:
                        return
                    waiting = self._held.get(instance)
                    if not waiting:
                        self._held.pop(instance, None)
                        return
                    # What arrives while these are delivered has to wait behind them.
                    self._held[instance] = []
                    self._bytes -= sum(size for _, size in waiting)
                for event, size in waiting:
                    self._deliver(event, size)

    def release_all(self) -> None:
        """Deliver everything that is held."""
        for instance in list(self._held):
            self.release(instance)

    def after_fork(self) -> None:
        """Hold nothing: what was held is the parent's."""
        self._changing, self._releasing = threading.Lock(), threading.Lock()
        self._held, self._bytes = {}, 0
