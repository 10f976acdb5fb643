"""What the socket's thread has to tell the supervisor: joins, refusals, acknowledgements."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._joins import INVALID_NAMESPACE
from ._redaction import printable


if TYPE_CHECKING:
    from ._engine import Session
    from ._supervisor import Supervisor


_log = logging.getLogger("evolution_ws")


class Notices:
    """
    The control packets of one session.

    The ``on_`` methods are called on the thread that reads the socket and only
    leave a note; the supervisor acts on it.
    """

    def __init__(self, connection: Supervisor) -> None:
        self._connection = connection
        self.session: Session | None = None

    def on_joined(self, namespace: str) -> None:
        """Note the server's consent to a join."""
        connection = self._connection
        late = connection.instances_in(namespace) if connection.is_open_for(self.session) else []
        if late:  # here, before this thread reads the first event of the instances
            connection.backfill.hold_late(late)
        self._leave(lambda: self._joined(namespace, late))

    def on_refused(self, namespace: str, reason: str) -> None:
        """Note the server's refusal of a join."""
        self._leave(lambda: self._refused(namespace, reason))

    def on_left(self, namespace: str) -> None:
        """Note that the server took this client out of a namespace."""
        self._leave(lambda: self._left(namespace))

    def on_ack(self, namespace: str, number: int, args: list[Any]) -> None:
        """Bring an acknowledgement to who waits for it."""
        self._connection.acks.resolve(namespace, number, args)

    def _leave(self, note: Callable[[], object]) -> None:
        def act() -> None:
            # What an earlier session had to say is of no use to the present one.
            if self._connection.is_latest(self.session):
                note()
                self._connection.announce()

        self._connection.submit(act)

    def _joined(self, name: str, late: list[str]) -> None:
        if self._connection.joins.joined(name):
            if name != "/":
                _log.info("joined %s", name)
            for instance in late:
                self._connection.backfill.joined_late(instance)

    def _refused(self, name: str, reason: str) -> None:
        if not self._connection.joins.refused(name, reason, time.monotonic()):
            return
        if reason == INVALID_NAMESPACE:
            _log.info(
                "%s is pending: the server creates it with the first event of that instance "
                "for which its websocket is enabled",
                name,
            )
        else:
            _log.warning("the server refused %s: %s; asking again", name, printable(reason))

    def _left(self, name: str) -> None:
        _log.info("the server ended %s; joining again", name)
        now = time.monotonic()
        self._connection.joins.left(name, now)
        for instance in self._connection.instances_in(name):
            self._connection.backfill.left(instance, from_root=name == "/")
