"""An Evolution server inside the process of a test, on real sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field

from ..events import Event
from ._connection import Connection
from ._envelope import from_event, make_envelope
from ._history import History
from ._http import HttpAnswer, HttpRequest
from ._hub import Member
from ._instances import Instance
from ._packets import Packet
from ._process import Process
from ._records import ClientInfo, Emitted, RestRequest
from ._rest import Rest
from ._run import Fault


__all__ = ["ClientInfo", "Emitted", "FakeEvolutionServer", "Instance", "RestRequest"]


@define(kw_only=True, eq=False, slots=False, repr=False)
class FakeEvolutionServer(Process):
    """
    An embedded Evolution API server for tests.

    It listens on a loopback port of its own and follows the rules of a real server
    for namespaces, keys, global mode and the REST interface::

        with FakeEvolutionServer(instances=("sales",)) as server:
            client = Client(server.url, instance="sales")
            client.connect()
            server.emit("messages.upsert", {"key": {"id": "A1"}})

    The constructor's options are attributes and may be changed while the server
    runs. What a database holds (instances, messages) survives :meth:`restart`;
    namespaces and connections do not.

    Threads:
        Every method may be called from any thread.
    """

    received: list[Emitted] = field(init=False, factory=list)
    """Events that clients have sent, oldest first."""

    requests: list[RestRequest] = field(init=False, factory=list)
    """REST calls seen so far, oldest first."""

    _history: History = field(init=False, factory=History)

    def __attrs_post_init__(self) -> None:
        self._rest = Rest(self, self._history, self._emit_own, lambda: self.url)
        for instance in self.instances.values():
            instance.set_websocket(True, self.selectable_events)

    def emit(
        self,
        event: str | Mapping[str, object] | Event,
        data: object = None,
        *,
        instance: str | None = None,
        store: bool | None = None,
        **extra: object,
    ) -> dict[str, object]:
        """
        Emit an event to the clients that a real server would send it to.

        Args:
            event:
                Name on the wire such as ``messages.upsert``; or a whole envelope, or an
                ``Event``, which are sent as they are.
            data: Content; bytes in it travel as attachments.
            instance: Name of the instance; None is that of the envelope, or the first.
            store: Whether messages are kept for ``findMessages``; None as the server's option.
            extra: More keys of the envelope, such as ``isLatest``.

        Returns:
            The envelope that was sent.

        Raises:
            ValueError: The server has no such instance.
        """
        with self._changed:
            if isinstance(event, str):
                owner = self._instance(instance)
                envelope = make_envelope(self, self.url, owner, event, data, extra)
            else:
                envelope = {**from_event(event), **extra}
                owner = self._instance(instance or str(envelope.get("instance")))
                envelope["instance"] = owner.name
            self._publish(owner, envelope, self.store if store is None else store)
        return envelope

    def emit_raw(
        self,
        messages: str | bytes | Iterable[str | bytes],
        *,
        namespace: str | None = None,
        sid: str | None = None,
        tcp: bool = False,
    ) -> None:
        """
        Put anything on the wire of clients, to see what they make of it.

        Args:
            messages:
                WebSocket messages with their Engine.IO and socket.io prefixes,
                ``42/sales,["x"]``; str travels as text, bytes as binary.
            namespace: Only to clients that have joined it; None: to all.
            sid: Only to the client with this id; None: to all.
            tcp: Write the bytes to the TCP connection instead, without a frame.
        """
        messages = [messages] if isinstance(messages, str | bytes) else list(messages)
        with self._changed:
            for member in self._members(namespace, sid):
                for message in messages:
                    if tcp:
                        raw = message.encode() if isinstance(message, str) else message
                        member.session.websocket.connection.write(raw)
                    else:
                        member.session.websocket.send(message)

    def kick(self, instance: str | None = None, *, close: bool = False) -> None:
        """
        Disconnect clients the way the server's own code can.

        Args:
            instance: Instance (or ``"/"``) whose namespace they lose; None: all they have joined.
            close: Close their connection as well, in an orderly way.
        """
        namespace = _namespace(instance)
        with self._changed:
            for member in self._members(namespace, None):
                assert self._run is not None
                self._run.hub.kick(member, [namespace] if namespace else [*member.namespaces])
                if close:
                    member.session.close()

    def refuse(self, reason: str | int | None, times: int | None = None) -> None:
        """
        Refuse handshakes from now on.

        Args:
            reason:
                The server's words (``"Authentication error"``, answered as a real refusal),
                an HTTP status (503), or None to accept again.
            times: Number of handshakes to refuse; None: all.
        """
        with self._changed:
            if reason is None:
                self._faults.handshake = None
            elif isinstance(reason, int):
                self._faults.handshake = Fault(reason, times=times)
            else:
                self._faults.handshake = Fault(400, reason, times)

    def rest_fails(self, status: int | None, body: object = None, times: int | None = None) -> None:
        """
        Answer REST calls with an error from now on.

        Args:
            status: HTTP status of the answers; None ends it.
            body: A str is sent as it is, anything else as JSON; None is an empty body.
            times: Number of calls to fail; None: all.
        """
        text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
        with self._changed:
            self._faults.rest = None if status is None else Fault(status, text, times)

    def add_instance(self, name: str, **fields: Any) -> Instance:
        """
        Add an instance whose websocket setting selects every event, and return it.

        Its namespace exists at once unless the server is *lazy*. *fields* are those
        of :class:`Instance`.
        """
        with self._changed:
            instance = Instance(name, **fields)
            if "websocket" not in fields:
                instance.set_websocket(True, self.selectable_events)
            self.instances[name] = instance
            if not self.lazy:
                self.create_namespace(name)
        return instance

    def create_namespace(self, instance: str) -> None:
        """Let the namespace of *instance* exist, as if an event had been there before."""
        with self._changed:
            if self._run is not None:
                self._run.hub.namespaces.add(f"/{instance}")

    @property
    def namespaces(self) -> frozenset[str]:
        """Namespaces that exist at present."""
        with self._changed:
            return frozenset(self._run.hub.namespaces if self._run is not None else ())

    @property
    def clients(self) -> list[ClientInfo]:
        """Clients that are connected, in the order of their handshakes."""
        with self._changed:
            return [
                ClientInfo.of(member.session, member.namespaces)
                for member in self._members(None, None)
            ]

    def wait_for_client(
        self, instance: str | None = None, count: int = 1, timeout: float = 10.0
    ) -> list[ClientInfo]:
        """
        Wait until clients have joined, and return them.

        Args:
            instance: Instance (or ``"/"``) whose namespace they join; None: any at all.
            count: Number of clients.
            timeout: Longest wait in seconds.

        Raises:
            TimeoutError: Fewer have joined in time.
        """
        namespace = _namespace(instance)

        def joined() -> list[ClientInfo]:
            return [
                client
                for client in self.clients
                if (client.namespaces if namespace is None else namespace in client.namespaces)
            ]

        self._wait(lambda: len(joined()) >= count, timeout, f"{count} client(s)")
        return joined()

    def wait_for_emit(self, count: int = 1, timeout: float = 10.0) -> list[Emitted]:
        """
        Wait until clients have sent *count* events in all, and return :attr:`received`.

        Args:
            count: Number of events.
            timeout: Longest wait in seconds.

        Raises:
            TimeoutError: Fewer came in time.
        """
        self._wait(lambda: len(self.received) >= count, timeout, f"{count} event(s)")
        return list(self.received)

    def _wait(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise TimeoutError(f"no {what} within {timeout:g} s")

    def _instance(self, name: str | None) -> Instance:
        if name is None and self.instances:
            return next(iter(self.instances.values()))
        if name not in self.instances:
            raise ValueError(f"this server has no instance {name!r}: add_instance() makes one")
        return self.instances[name]

    def _members(self, namespace: str | None, sid: str | None) -> list[Member]:
        return [
            member
            for member in (self._run.hub.members.values() if self._run is not None else ())
            if (namespace is None or namespace in member.namespaces)
            and (sid is None or sid == member.session.sid)
        ]

    def _emit_own(self, instance: Instance, event: str, data: object) -> None:
        envelope = make_envelope(self, self.url, instance, event, data, {})
        self._publish(instance, envelope, self.store)

    def _publish(self, instance: Instance, envelope: dict[str, object], store: bool) -> None:
        event = str(envelope["event"])
        if store:
            self._history.record(instance, event, envelope.get("data"), self.store_delay)
        if self._run is None or not self.websocket_enabled:
            return
        is_selected = instance.selects(event)
        if self.global_events:
            self._run.hub.publish("/", event, envelope)
            if self.v1 and is_selected:
                self._run.hub.publish("/", event, envelope)
        if is_selected:
            self._run.hub.publish(f"/{instance.name}", event, envelope)

    def _serve_rest(self, connection: Connection, request: HttpRequest) -> None:
        self.requests.append(RestRequest.of(request))
        fault = self._faults.rest
        if fault is not None and fault.strike():
            answer = HttpAnswer(fault.status, fault.body.encode())
        else:
            answer = self._rest.answer(request)
        if self._run is not None and self.rest_delay:
            self._run.loop.call_later(self.rest_delay, lambda: connection.answer(answer))
        else:
            connection.answer(answer)
        self._changed.notify_all()

    def _take_emit(self, member: Member, packet: Packet) -> None:
        assert isinstance(packet.data, list)
        emitted = Emitted(packet.namespace, str(packet.data[0]), packet.data[1:])
        self.received.append(emitted)
        self._changed.notify_all()
        run, ack = self._run, self.ack
        if run is None or ack is None or packet.id is None:
            return

        def respond() -> None:
            # The lock is free here: what the user's function waits for may need it.
            result = ack(*emitted)
            if result is not None:
                values = list(result) if isinstance(result, tuple) else [result]
                with self._changed:
                    run.hub.acknowledge(member, packet, values)

        run.loop.call_soon(respond, locked=False)


def _namespace(instance: str | None) -> str | None:
    return instance if instance is None or instance == "/" else f"/{instance}"
