"""Asynchronous exceptions, as Ctrl-C and Celery's soft time limit raise them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, ModuleType


class Interrupt(BaseException):
    """Stands for KeyboardInterrupt and SoftTimeLimitExceeded."""


@contextmanager
def interrupts(seconds: float, *modules: ModuleType) -> Iterator[None]:
    """Raise :exc:`Interrupt` every *seconds* in the main thread, wherever it is in *modules*."""
    files = {module.__file__ for module in modules}

    def handler(_: int, frame: FrameType | None) -> None:
        # Not while one is being handled: nobody presses Ctrl-C twice within microseconds.
        is_handled = isinstance(sys.exc_info()[1], Interrupt)
        if frame is not None and frame.f_code.co_filename in files and not is_handled:
            raise Interrupt

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
