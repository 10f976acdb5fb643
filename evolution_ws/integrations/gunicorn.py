"""
Hooks for gunicorn: graceful restarts end event streams at once and close clients.

In ``gunicorn.conf.py``::

    from evolution_ws.integrations.gunicorn import post_worker_init, worker_exit

Without them everything works, but a worker that is told to stop waits its whole
``graceful_timeout`` for streams that do not end.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from ._shared import close_all, refuse_all_streams


__all__ = ["post_worker_init", "worker_exit"]


def post_worker_init(worker: Any) -> None:
    """Let the signals that stop *worker* end its event streams first."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        _prepend(number)


def worker_exit(server: Any, worker: Any) -> None:
    """Close the clients of *worker*, which has handled its last request."""
    close_all()


def _prepend(number: int) -> None:
    following = signal.getsignal(number)

    def end_streams(received: int, frame: FrameType | None) -> None:
        refuse_all_streams()
        if callable(following):
            following(received, frame)

    signal.signal(number, end_streams)
    # As gunicorn has it: a signal must not break the system calls of requests under way.
    signal.siginterrupt(number, False)
