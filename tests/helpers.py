"""What tests need to wait for things and to force races."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import attrs


T = TypeVar("T")

MS = max(0.001, time.get_clock_info("monotonic").resolution) * float(
    os.environ.get("EVOLUTION_WS_TEST_TIME_FACTOR", "1")
)
"""A millisecond in seconds, longer on a slow machine (``EVOLUTION_WS_TEST_TIME_FACTOR``)."""

CEILING = 10.0 * max(1.0, MS / 0.001)
"""Seconds after which a wait has failed; nothing comes near it on a sound machine."""


def wait_until(condition: Callable[[], object], timeout: float = CEILING) -> None:
    """Wait for *condition*, and fail when it does not come within *timeout* seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(MS)


class Gate:
    """Holds a thread up at a place until the test lets it go on."""

    def __init__(self) -> None:
        self._entered = threading.Event()
        self._released = threading.Event()

    def __call__(self, *_: Any) -> None:
        """Note that a thread is here, and wait for :meth:`release`."""
        self._entered.set()
        assert self._released.wait(CEILING), "nobody opened the gate"

    def wait_entered(self) -> None:
        """Wait until a thread stands at the gate."""
        assert self._entered.wait(CEILING), "nobody came to the gate"

    def release(self) -> None:
        """Let it go on."""
        self._released.set()


@attrs.define
class Task:
    """A function that runs on a thread of its own; :meth:`result` brings back what came of it."""

    _thread: threading.Thread
    _outcome: list[Any] = attrs.field(factory=list)
    _error: list[BaseException] = attrs.field(factory=list)

    def result(self, timeout: float = CEILING) -> Any:
        """Return what the function returned, or raise what it raised."""
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "it does not end"
        if self._error:
            raise self._error[0]
        return self._outcome[0]

    @property
    def is_done(self) -> bool:
        """Whether the function has returned or raised."""
        return not self._thread.is_alive()


def in_thread(function: Callable[..., object], *args: object) -> Task:
    """Run *function* on a thread of its own."""

    def run() -> None:
        try:
            task._outcome.append(function(*args))
        except BaseException as exc:
            task._error.append(exc)

    task = Task(threading.Thread(target=run, daemon=True))
    task._thread.start()
    return task
