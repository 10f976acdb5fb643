"""socket.io on an embedded server: namespaces, who joined them, what clients emit."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from functools import partial

from attrs import define, field

from . import _packets
from ._engineio import Session
from ._loop import Loop, Timer
from ._options import Options
from ._packets import Kind, Packet


@define(eq=False)
class Member:
    """What the hub knows of one connection."""

    session: Session
    namespaces: list[str] = field(factory=list)
    partial: Packet | None = None
    """A packet whose attachments are still on their way."""

    attachments: list[bytes] = field(factory=list)
    deadline: Timer | None = None
    """Closes a connection that joins nothing; None once it has joined."""


class Hub:
    """
    The namespaces of one run of the server.

    Args:
        loop: Runs the timers.
        options: Limits.
        changed: Called after a client has joined, left or gone.
        emitted: Called with the member and the packet of each event from a client.

    Threads:
        Everything is called with the server's lock held.
    """

    def __init__(
        self,
        loop: Loop,
        options: Options,
        *,
        changed: Callable[[], None],
        emitted: Callable[[Member, Packet], None],
    ) -> None:
        self.namespaces = {"/"}
        self.members: dict[str, Member] = {}
        self._loop = loop
        self._options = options
        self._changed = changed
        self._emitted = emitted

    def add(self, session: Session) -> None:
        """Take in a new connection."""
        member = Member(session)
        self.members[session.sid] = member
        member.deadline = self._loop.call_later(self._options.connect_timeout, session.close)

    def remove(self, session: Session) -> None:
        """Forget a connection that is over."""
        member = self.members.pop(session.sid)
        if member.deadline is not None:
            member.deadline.cancel()
        self._changed()

    def joined(self, namespace: str | None = None) -> list[Member]:
        """Return who has joined *namespace*; None: any at all."""
        return [
            member
            for member in self.members.values()
            if (member.namespaces if namespace is None else namespace in member.namespaces)
        ]

    def publish(self, namespace: str, event: str, envelope: object) -> None:
        """Send an event to everybody in *namespace*, which exists from now on."""
        self.namespaces.add(namespace)
        members = self.joined(namespace)
        if members:
            messages = _packets.encode(Kind.EVENT, namespace, [event, envelope])
            for member in members:
                self._send(member, messages)

    def kick(self, member: Member, namespaces: Iterable[str]) -> None:
        """Disconnect *member* from *namespaces*, as the server's own code can."""
        for namespace in namespaces:
            member.namespaces.remove(namespace)
            self._send(member, _packets.encode(Kind.DISCONNECT, namespace))
        self._changed()

    def acknowledge(self, member: Member, packet: Packet, values: list[object]) -> None:
        """Answer an event that asked for it."""
        self._send(member, _packets.encode(Kind.ACK, packet.namespace, values, packet.id))

    def receive(self, session: Session, message: str | bytes) -> None:
        """Take one message of a client; what breaks the rules ends its connection."""
        member = self.members[session.sid]
        try:
            packet = self._assembled(member, message)
            if packet is not None:
                self._dispatch(member, packet)
        except (ValueError, RecursionError):
            session.close()

    def _assembled(self, member: Member, message: str | bytes) -> Packet | None:
        if isinstance(message, str):
            if member.partial is not None:
                raise _packets.BadPacket("text instead of an attachment")
            packet = _packets.decode(message)
            if not packet.attachments:
                return packet
            member.partial, member.attachments = packet, []
            return None
        if member.partial is None:
            raise _packets.BadPacket("attachment of nothing")
        member.attachments.append(message)
        if len(member.attachments) < member.partial.attachments:
            return None
        packet, member.partial = member.partial, None
        return _packets.attach(packet, member.attachments)

    def _dispatch(self, member: Member, packet: Packet) -> None:
        has_joined = packet.namespace in member.namespaces
        if packet.kind is Kind.CONNECT and not has_joined:
            connect = partial(self._connect, member, packet.namespace)
            if self._options.join_delay:
                self._loop.call_later(self._options.join_delay, connect)
            else:
                connect()
        elif not has_joined or packet.kind in (Kind.CONNECT, Kind.CONNECT_ERROR):
            raise _packets.BadPacket(packet.kind.name)
        elif packet.kind is Kind.DISCONNECT:
            member.namespaces.remove(packet.namespace)
            self._changed()
        elif packet.kind in (Kind.EVENT, Kind.BINARY_EVENT):
            if not isinstance(packet.data, list):
                raise _packets.BadPacket("no event")
            self._emitted(member, packet)

    def _connect(self, member: Member, namespace: str) -> None:
        if namespace in member.namespaces:
            # Asked twice before the first, delayed answer.
            member.session.close()
            return
        if namespace not in self.namespaces:
            refusal = {"message": "Invalid namespace"}
            self._send(member, _packets.encode(Kind.CONNECT_ERROR, namespace, refusal))
            return
        if member.deadline is not None:
            member.deadline.cancel()
            member.deadline = None
        member.namespaces.append(namespace)
        answer = {"sid": secrets.token_urlsafe(15)}
        self._send(member, _packets.encode(Kind.CONNECT, namespace, answer))
        self._changed()

    @staticmethod
    def _send(member: Member, messages: list[str | bytes]) -> None:
        for message in messages:
            member.session.send(message)
