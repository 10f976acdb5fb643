"""A sampling profiler for all threads of a process."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType


INTERVAL = 0.0005
SHOWN = 14


class Sampler:
    """
    Looks twice a millisecond at what every other thread is doing.

    A thread gives the interpreter up after a call, still on the line of that call: time
    in C (decoding, reading from the socket) counts for the Python line that called it.
    A thread that waits is seen waiting. Use it as a context manager.
    """

    def __init__(self) -> None:
        self.samples = 0
        self._lines: Counter[tuple[str, tuple[str, str]]] = Counter()
        self._seen: Counter[str] = Counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._interval = sys.getswitchinterval()

    def __enter__(self) -> Sampler:
        sys.setswitchinterval(INTERVAL / 5)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        sys.setswitchinterval(self._interval)

    def _run(self) -> None:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        own = threading.get_ident()
        while not self._stop.wait(INTERVAL):
            self.samples += 1
            for ident, frame in sys._current_frames().items():
                if ident != own and ident in names:
                    self._seen[names[ident]] += 1
                    self._lines[names[ident], describe(frame)] += 1

    def text(self) -> str:
        """Return functions and lines as shares of their thread's samples, most seen first."""
        parts = []
        for thread, total in sorted(self._seen.items()):
            lines = Counter(
                {where: n for (name, where), n in self._lines.items() if name == thread}
            )
            functions: Counter[str] = Counter()
            for (place, function), n in lines.items():
                functions[f"{place.partition(':')[0]} {function}"] += n
            parts.append(f"{thread}  ({total} samples)\n  by function")
            parts += _shares(functions, total)
            parts.append("  by line")
            parts += _shares(Counter({" ".join(where): n for where, n in lines.items()}), total)
        return "\n".join(parts)


def _shares(counts: Counter[str], total: int) -> list[str]:
    return [
        f"    {n / total:6.1%}  {what}" for what, n in counts.most_common(SHOWN) if n > total / 100
    ]


def describe(frame: FrameType) -> tuple[str, str]:
    """Return where a frame is: file and line, and function."""
    code = frame.f_code
    place = "/".join(Path(code.co_filename).parts[-2:])
    return f"{place}:{frame.f_lineno}", getattr(code, "co_qualname", code.co_name)
