"""
Up to when a client has every message of each instance, and where its next window begins.

Knows no thread, socket or history. Times are Unix times of this machine's clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping

from ._holding import EVERY_INSTANCE


class Windows:
    """
    The book-keeping of gaps.

    A window that could not be filled is owed: it stays open, whatever comes live
    meanwhile, until an attempt succeeds.

    Args:
        names:
            Names of the instances, or ``"*"`` alone.
        since:
            From when on messages are wanted; None: from the first connection on.

    Threads:
        The supervisor, the thread that fills windows, and whoever asks for :meth:`snapshot`.
    """

    def __init__(self, names: tuple[str, ...], since: float | None) -> None:
        self.names = names
        self._since = since
        self.catches_up = since is not None
        """Whether something may have been missed before the first connection."""
        self.origin = 0.0
        """Nothing older is wanted."""
        self._covered: dict[str, float] = {}
        self._live: set[str] = set()
        self._owed: set[str] = set()
        self._changing = threading.Lock()

    def after_fork(self) -> None:
        """Forget the parent's gaps: in this process nothing was missed yet."""
        self._changing = threading.Lock()
        self._covered, self._live, self._owed = {}, set(), set()

    def resume(self, covered: Mapping[str, float], origin: float) -> None:
        """
        Go on where an earlier run ended; to be called before :meth:`start`.

        A *since* before everything that was ever covered counts more than that.

        Args:
            covered:
                Up to when nothing was missed, by instance.
            origin:
                The time before which nothing was wanted.
        """
        if self._since is not None and self._since < origin:
            return
        now = time.time()
        # Without any, the run before ended as soon as it had begun.
        covered = covered or dict.fromkeys(self.names, origin)
        rest = min(covered.values()) if EVERY_INSTANCE in self.names else now
        # An instance that is new here has missed nothing; a clock that was wrong covers nothing.
        self._covered = {
            name: min(now, covered.get(name, covered.get(EVERY_INSTANCE, rest)))
            for name in self.names
        }
        self.origin = origin
        self.catches_up = True

    def snapshot(self, until: float | None, is_global: bool) -> dict[str, float]:
        """
        Return up to when nothing is missing.

        Args:
            until:
                Up to when all events of the present connection have arrived; None: there is none.
            is_global:
                Whether that connection brings the events of all instances.
        """
        with self._changing:
            covered = dict(self._covered)
            for name in self._present(is_global) if until is not None else ():
                covered[name] = max(covered.get(name, 0.0), until or 0.0)
        return covered

    def _present(self, is_global: bool) -> list[str]:
        # What came live is of no help to a window that is still to be filled.
        names = self.names if is_global else self._live
        return [name for name in names if name not in self._owed]

    def start(self) -> None:
        """Note that the client wants events from now on, or from *since* on."""
        if not self._covered:
            self.origin = time.time() if self._since is None else self._since
            self._covered = dict.fromkeys(self.names, self.origin)

    def begin(self, now: float) -> None:
        """Note that nothing can have been missed before *now*."""
        self._covered = dict.fromkeys(self.names, now)

    def live(self, names: Iterable[str]) -> None:
        """Note that the events of these instances arrive."""
        with self._changing:
            self._live.update(names)

    def left(self, name: str, from_root: bool) -> None:
        """Note that the events of an instance arrive no more; see :meth:`.Backfill.left`."""
        with self._changing:
            if from_root or name in self._live:
                self._live.discard(name)
                if name not in self._owed:
                    self._covered[name] = max(self._covered.get(name, 0.0), time.time())

    def ended(self, until: float, is_global: bool) -> None:
        """Note the end of a connection, all of whose events up to *until* have arrived."""
        with self._changing:
            for name in self._present(is_global):
                self._covered[name] = max(self._covered.get(name, 0.0), until)
            self._live.clear()

    def owe(self, name: str, now: float) -> float:
        """Note that a window is to be filled; return where it begins."""
        with self._changing:
            self._owed.add(name)
            return self._covered.get(name, now)

    def settle(self, name: str, until: float) -> None:
        """Note that a window is filled, or given up, up to *until*."""
        with self._changing:
            self._owed.discard(name)
            self._covered[name] = until
