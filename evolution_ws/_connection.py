"""
One connection to the server, as other threads see it: they start it, send over it and close it.

The work is done by the supervisor's thread.
"""

from __future__ import annotations

import copy
import threading

from ._acks import Acknowledgements
from ._engine import Session
from ._explain import explain
from ._supervisor import GRACE, Supervisor, nothing
from .exceptions import ClientClosed, ConnectError, EvolutionError
from .state import ConnectionState


_S = ConnectionState


class Connection(Supervisor):
    """The connection of one client. Every method may be called from any thread."""

    @property
    def state(self) -> ConnectionState:
        """Return the state, derived from the session that lives and not from a flag alone."""
        state, session = self._state, self._session
        if state is _S.OPEN and (session is None or session.is_over):
            return _S.BACKOFF
        return state

    @property
    def session(self) -> Session | None:
        """Return the live session; None while there is none."""
        session = self._session
        return session if session is not None and self.state is _S.OPEN else None

    def start(self) -> bool:
        """Start the supervisor unless it runs; return whether this call did."""
        with self._starting:
            if self._is_dismissed or self._state not in (_S.NEW, _S.FAILED):
                return False
            self._start()
        self.announce()
        if self._is_dismissed:  # by a signal handler that struck above, for example
            self.request_close()
        return True

    def _start(self) -> None:
        self._closing, self._abandoned, self._failure, self.error = False, None, None, None
        self.was_forked = self._has_told = False
        self.backfill.started()
        self._move(_S.CONNECTING)
        self._thread = threading.Thread(
            target=self.run, name=f"{self._name}-supervisor", daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError as exc:
            self._thread = None
            self._has_told = True
            self._move(_S.FAILED)
            self.error = explain(exc, str(self._address))
            raise self.error from None

    def wait_open(self, has_started: bool, timeout: float | None, failures: int) -> None:
        """
        Wait until the connection is open, and stop what this call has begun when it fails.

        Args:
            has_started:
                Whether it was this call's thread that had the supervisor start.
            timeout:
                Longest wait in seconds, over several attempts; None waits for one attempt.
            failures:
                Attempts that had failed before.

        Raises:
            EvolutionError, TimeoutError: It is not open.
        """

        def is_settled() -> bool:
            gave_up = timeout is None and self.failures > failures
            return gave_up or self.has_ended() or self.session is not None

        settled = self.wait_until(is_settled, timeout)
        if self.session is not None:
            return
        error = self._why_not_open(timeout if not settled else None)
        if has_started and not self.has_ended():
            self.abandon(error if isinstance(error, EvolutionError) else ConnectError(str(error)))
        raise error

    def wait_for_others(self, timeout: float | None) -> None:
        """
        Wait until the connection is open, which somebody else brings about.

        Raises:
            EvolutionError, TimeoutError: It is not, or never will be.
        """
        ends = (_S.CLOSED, _S.FAILED)
        done = self.wait_until(lambda: self.session is not None or self.state in ends, timeout)
        if self.session is None:
            raise self._why_not_open(timeout) if done else self._too_late(timeout)

    def _why_not_open(self, timeout: float | None) -> Exception:
        if self._is_dismissed or self.state in (_S.CLOSED, _S.CLOSING):
            return ClientClosed("the client is closed; make a new one")
        if self.error is not None:
            return copy.copy(self.error)  # a raised one would hold the client for ever
        return self._too_late(timeout)

    def _too_late(self, timeout: float | None) -> TimeoutError:
        return TimeoutError(f"no connection to {self._address} within {timeout or 0:g} seconds")

    def send(self, session: Session, frames: list[str | bytes]) -> None:
        """Have the supervisor send the frames of one packet over *session*."""

        def send() -> None:
            if session.is_over:
                self.emits_lost += 1
            else:
                session.send(frames)

        self._commands.put(send)

    def request_close(self) -> None:
        """Ask for the end. Never blocks, never raises; legal in signal handlers and finalizers."""
        self._closing = True
        self._commands.put(nothing)
        session = self._session
        if session is not None and self._state is _S.CONNECTING:
            session.abort()

    def abandon(self, error: EvolutionError) -> None:
        """Give connecting up because of *error*; the client can be connected again later."""
        thread, self._abandoned = self._thread, error
        self.request_close()
        # Another thread may start it anew as soon as it has ended.
        self.wait_until(lambda: self.has_ended() or self._thread is not thread, GRACE * 3)

    def fail(self, error: EvolutionError) -> None:
        """End for good because of *error*, which consumers get. Never blocks."""
        self._failure = error
        self.request_close()

    def close(self, timeout: float) -> bool:
        """Close, and wait for it at most *timeout* seconds; return whether it is done."""
        self._is_dismissed = True
        self.request_close()
        # Whoever starts it sees that at the end; the handler of a signal that struck in there
        # must not wait for it.
        if not self.wait_until(lambda: not self._starting.locked(), GRACE):
            return False
        if self._state in (_S.NEW, _S.FAILED):
            self._move(_S.CLOSED)
            self.announce()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return self.has_ended()
        done = self.wait_until(self.has_ended, timeout)
        if done:
            thread.join(GRACE)  # its last instructions
        return done

    def after_fork(self) -> None:
        """Become new in the child of a fork; not a byte goes over the parent's socket."""
        session, was_used = self._session, not self.has_ended()
        self._begin()
        self.acks = Acknowledgements()
        self.joins.reset()
        if session is not None:
            session.let_go()
        if was_used:
            self._state, self.was_forked, self._is_dismissed = _S.NEW, True, False
