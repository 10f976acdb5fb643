"""Which namespaces are joined, and when to ask again for those that are not."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from .state import NamespaceState


# An Evolution server creates a namespace with the instance's first event, which may be a second
# or a day away.
_FIRST_RETRY = 1.0
_LONGEST_RETRY = 15.0
_RETRY_FACTOR = 1.5

INVALID_NAMESPACE = "Invalid namespace"


@attrs.define
class _Join:
    state: NamespaceState = NamespaceState.LEFT
    reason: str = ""
    delay: float = _FIRST_RETRY
    due: float | None = 0.0
    """When to ask; None: not at all."""
    asked_at: float | None = None
    """Since when the server owes an answer."""
    ever_joined: bool = False


class Joins:
    """
    The namespaces of one client. Knows no socket and no clock: times are arguments.

    A second CONNECT while one is open or unanswered makes the server cut the
    connection, so a namespace is asked for only after a refusal or a leave.
    """

    def __init__(self, namespaces: Iterable[str], patience: float) -> None:
        self._joins = {name: _Join() for name in namespaces}
        self._patience = patience

    def reset(self) -> None:
        """Forget the answers: the connection is gone."""
        for join in self._joins.values():
            join.state, join.due, join.asked_at = NamespaceState.LEFT, 0.0, None
            join.delay = _FIRST_RETRY

    def due(self, now: float) -> list[str]:
        """Return the namespaces to ask for at *now*."""
        return [
            name for name, join in self._joins.items() if join.due is not None and join.due <= now
        ]

    def asked(self, name: str, now: float) -> None:
        """Note that the server was asked."""
        join = self._joins[name]
        join.due, join.asked_at = None, now
        if join.state is NamespaceState.LEFT:
            join.state = NamespaceState.ASKED

    def joined(self, name: str) -> bool:
        """Note the server's consent; return False for a namespace that nobody asked for."""
        join = self._joins.get(name)
        if join is None or join.asked_at is None:
            return False
        join.state, join.reason, join.asked_at = NamespaceState.JOINED, "", None
        join.delay, join.ever_joined = _FIRST_RETRY, True
        return True

    def refused(self, name: str, reason: str, now: float) -> bool:
        """Note a refusal; return whether it is the first one in a row for this reason."""
        join = self._joins.get(name)
        if join is None:
            return False
        is_new = join.reason != reason
        pending = reason == INVALID_NAMESPACE
        join.state = NamespaceState.PENDING if pending else NamespaceState.REFUSED
        join.reason, join.asked_at = reason, None
        join.due = now + join.delay
        join.delay = min(join.delay * _RETRY_FACTOR, _LONGEST_RETRY)
        return is_new

    def left(self, name: str, now: float, again: bool = True) -> None:
        """Note that a namespace is not joined any more; *again*: ask for it soon."""
        join = self._joins.get(name)
        if join is not None:
            join.state, join.asked_at = NamespaceState.LEFT, None
            join.due = now + _FIRST_RETRY / 2 if again else None

    def is_settled(self) -> bool:
        """Return whether each namespace is joined or refused."""
        open_ends = (NamespaceState.ASKED, NamespaceState.LEFT)
        return not any(
            join.state in open_ends and (join.due is not None or join.asked_at is not None)
            for join in self._joins.values()
        )

    def overdue(self, now: float) -> str | None:
        """Return a namespace whose answer is overdue; the connection has to be opened anew."""
        for name, join in self._joins.items():
            if join.asked_at is not None and now - join.asked_at > self._patience:
                return name
        return None

    def next_due(self) -> float | None:
        """Return the next time at which something is to be asked; None when nothing is."""
        return min(
            (join.due for join in self._joins.values() if join.due is not None), default=None
        )

    def is_joined(self, name: str) -> bool:
        """Return whether the events of *name* arrive."""
        join = self._joins.get(name)
        return join is not None and join.state is NamespaceState.JOINED

    def is_dormant(self, name: str) -> bool:
        """Return whether *name* was left on purpose."""
        join = self._joins[name]
        return join.state is NamespaceState.LEFT and join.due is None and join.asked_at is None

    def was_joined(self, name: str) -> bool:
        """Return whether *name* was joined at any time, on this connection or an earlier one."""
        return self._joins[name].ever_joined

    def snapshot(self) -> dict[str, NamespaceState | str]:
        """Return each namespace's state, or the server's words where it refused."""
        return {
            name: join.reason if join.state is NamespaceState.REFUSED else join.state
            for name, join in self._joins.items()
        }
