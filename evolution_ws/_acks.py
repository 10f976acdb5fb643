"""Acknowledgements that emitted events wait for."""

from __future__ import annotations

import itertools
import queue
from typing import Any


Answer = list[Any] | Exception


class Acknowledgements:
    """Brings the server's answers to the threads that wait for them."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiting: dict[tuple[str, int], queue.SimpleQueue[Answer]] = {}

    def expect(self, namespace: str) -> tuple[int, queue.SimpleQueue[Answer]]:
        """Return a number for the packet, and where the answer will arrive."""
        number = next(self._numbers)
        waiter: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._waiting[namespace, number] = waiter
        return number, waiter

    def resolve(self, namespace: str, number: int, args: list[Any]) -> None:
        """Deliver an answer; one that nobody waits for is ignored."""
        waiter = self._waiting.pop((namespace, number), None)
        if waiter is not None:
            waiter.put(args)

    def forget(self, namespace: str, number: int) -> None:
        """Stop waiting."""
        self._waiting.pop((namespace, number), None)

    def fail(self, error: Exception) -> None:
        """Tell everybody who waits that no answer will come."""
        while self._waiting:
            try:
                _, waiter = self._waiting.popitem()
            except KeyError:  # answered meanwhile
                return
            waiter.put(error)
