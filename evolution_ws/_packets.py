"""
Socket.IO packets as they come out of WebSocket frames.

Every frame of a connection passes through :meth:`PacketReader.feed`, in the
order of the wire, on the thread that reads the socket. Nothing is decoded that
nobody wants.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

import attrs

from ._json import loads
from .lifecycle import LIFECYCLE_TYPES


Buffer = bytes | bytearray


class ProtocolViolation(Exception):
    """The connection can no longer be trusted and has to be opened anew."""


class EventSink(Protocol):
    """Gets the events of a connection; called on the thread that reads the socket."""

    def wants(self, namespace: str, name: str, instance: str | None) -> bool:
        """Return whether an event has to be decoded; *instance* None: not known yet."""

    def on_event(self, namespace: str, name: str, payload: Any, size: int, mark: int) -> None:
        """Handle an event that is wanted."""

    def on_malformed(self, problem: str) -> None:
        """Count a packet that cannot be understood."""


class ControlSink(Protocol):
    """Gets everything but events; called on the thread that reads the socket."""

    def on_joined(self, namespace: str) -> None:
        """Handle the server's consent to a join."""

    def on_refused(self, namespace: str, reason: str) -> None:
        """Handle the server's refusal of a join."""

    def on_left(self, namespace: str) -> None:
        """Handle that the server took this client out of a namespace."""

    def on_ack(self, namespace: str, number: int, args: list[Any]) -> None:
        """Handle an acknowledgement."""


@attrs.frozen
class OpenPacket:
    """What the server announced in the Engine.IO handshake; times in seconds."""

    ping_interval: float
    ping_timeout: float
    max_payload: int | None


# "4" is Engine.IO's message, the digit behind it the kind of Socket.IO packet.
_CONNECT, _DISCONNECT, _EVENT, _ACK, _REFUSED, _BINARY_EVENT, _BINARY_ACK = b"0123456"
_MESSAGE = b"4"[0]
_OPEN = b"0"[0]

_HEAD = re.compile(rb"4[0-6](?:(\d{1,9})-)?(/[^,]*)?,?(\d{0,18})")
# Up to the instance where the envelope starts in the usual order of keys.
_EVENT_HEAD = re.compile(
    rb'4(?:2|5(?:\d{1,9}-)?)(?:(/[^,]*),)?\d{0,18}\["([^"\\]*)",'
    rb'(?:\{"event":"[^"\\]*","instance":"([^"\\]*)")?'
)
# Names of what is not on the wire; there they could only be forged.
_RESERVED = LIFECYCLE_TYPES | {"disconnecting"}

# What a decoded event takes in memory beyond its text: measured as about 45 bytes a string, and
# strings come in pairs of quotation marks.
_BYTES_PER_QUOTE = 24
_BYTES_PER_EVENT = 900
# Small ones are not worth counting: they are mostly keys and short strings.
_SMALL = 4096
_FACTOR = 4
_BYTES_PER_ATTACHMENT = 50

# Names repeat for ever, but a hostile server could invent new ones, or endless ones.
_MAX_NAMES = 10_000
_MAX_NAME = 300

# Stands for arguments that are no JSON, where None stands for those that nobody wants.
_UNREADABLE = ()


class PacketReader:
    """Take the frames of one connection apart."""

    def __init__(self, events: EventSink, control: ControlSink, max_bytes: int) -> None:
        self._events = events
        self._control = control
        self._max_bytes = max_bytes
        self._names: dict[bytes | None, str] = {None: "/"}
        self._binary: _Attachments | None = None
        self.opened: OpenPacket | None = None
        """The server's announcement, once it came."""

    def feed(self, data: Buffer, start: int, end: int, is_text: bool) -> bool:
        """
        Handle the frame whose payload is ``data[start:end]``.

        Returns:
            True when it was a Socket.IO packet; False leaves it to Engine.IO.

        Raises:
            ProtocolViolation: The connection has to be given up.
        """
        if not is_text:
            self._on_attachment(bytes(memoryview(data)[start:end]))
            return True
        if end <= start or data[start] != _MESSAGE:
            if end > start and data[start] == _OPEN:
                self.opened = _read_open(data, start + 1, end)
            return False
        if self._binary is not None:
            raise ProtocolViolation("a packet arrived where an attachment was due")
        if end - start > 1 and data[start + 1] == _EVENT:
            self._on_event(data, start, end)
        else:
            self._on_packet(data, start, end)
        return True

    def _on_event(self, data: Buffer, start: int, end: int) -> None:
        match = _EVENT_HEAD.match(data, start, end)
        if match is None:
            self._on_packet(data, start, end)
            return
        raw_namespace, raw_name, raw_instance = match.groups()
        names = self._names
        try:
            namespace, name, instance = names[raw_namespace], names[raw_name], names[raw_instance]
        except KeyError:  # the first event of its kind
            namespace, name = self._text(raw_namespace), self._text(raw_name)
            instance = self._text(raw_instance)
        if not self._events.wants(namespace, name, instance if raw_instance else None):
            return
        begin = match.start(2) - 2
        args = self._decode(data, begin, end)
        mark = _mark(namespace, data, start, end) if namespace == "/" else 0
        self._deliver(namespace, args, _memory(data, begin, end), mark)

    def _text(self, raw: bytes | None) -> str:
        try:
            return self._names[raw]
        except KeyError:
            pass
        assert raw is not None
        text = raw.decode("utf-8", "replace")
        if len(raw) <= _MAX_NAME and len(self._names) < _MAX_NAMES:
            self._names[raw] = text
        return text

    def _maybe(self, raw: bytes | None) -> str | None:
        return None if raw is None else self._text(raw)

    def _on_packet(self, data: Buffer, start: int, end: int) -> None:
        match = _HEAD.match(data, start, end)
        if match is None:
            self._events.on_malformed("unknown packet type")
            return
        kind, namespace = data[start + 1], self._text(match.group(2))
        if kind in (_BINARY_EVENT, _BINARY_ACK):
            self._on_binary(data, match, end)
        elif match.group(1) is not None:
            self._events.on_malformed("attachments announced for a packet without any")
        elif kind == _CONNECT:
            self._control.on_joined(namespace)
        elif kind == _DISCONNECT:
            self._control.on_left(namespace)
        elif kind == _REFUSED:
            self._control.on_refused(namespace, _reason(self._decode(data, match.end(), end)))
        elif kind == _EVENT:
            args = self._decode(data, match.end(), end)
            if self._is_wanted(namespace, args):
                mark = _mark(namespace, data, start, end)
                self._deliver(namespace, args, _memory(data, start, end), mark)
        else:
            self._on_ack(namespace, match.group(3), self._decode(data, match.end(), end))

    def _is_wanted(self, namespace: str, args: Any) -> bool:
        """Return whether a decoded event is wanted; a malformed one is, to be counted."""
        if not isinstance(args, list) or not args or not isinstance(args[0], str):
            return True
        return self._events.wants(namespace, args[0], None)

    def _on_binary(self, data: Buffer, match: re.Match[bytes], end: int) -> None:
        count, number = int(match.group(1) or 0), None
        namespace = self._text(match.group(2))
        if data[match.start() + 1] == _BINARY_ACK:
            args, number = self._decode(data, match.end(), end), match.group(3)
            args = _UNREADABLE if args is None else args
        else:
            args = self._wanted_args(namespace, data, match, end)
        size = _memory(data, match.end(), end)
        mark = _mark(namespace, data, match.start(), end)
        self._binary = _Attachments(namespace, number, args, count, size, mark)
        if count == 0:
            self._finish_binary(self._binary)

    def _wanted_args(self, namespace: str, data: Buffer, match: re.Match[bytes], end: int) -> Any:
        """Return the arguments of a binary event; None when nobody wants it."""
        head = _EVENT_HEAD.match(data, match.start(), end)
        if head is None:
            args = self._decode(data, match.end(), end)
            if not self._is_wanted(namespace, args):
                return None
        else:
            _, name, instance = head.groups()
            if not self._events.wants(namespace, self._text(name), self._maybe(instance)):
                return None
            args = self._decode(data, match.end(), end)
        return _UNREADABLE if args is None else args

    def _on_attachment(self, content: bytes) -> None:
        binary = self._binary
        if binary is None:
            raise ProtocolViolation("an attachment arrived that no packet announced")
        binary.size += len(content) + _BYTES_PER_ATTACHMENT
        if binary.size > self._max_bytes:
            raise ProtocolViolation("the attachments of one event are larger than allowed")
        binary.missing -= 1
        if binary.args is not None:
            binary.contents.append(content)
        if not binary.missing:
            self._finish_binary(binary)

    def _finish_binary(self, binary: _Attachments) -> None:
        self._binary = None
        if binary.args is None:
            return
        try:
            args = _filled(binary.args, binary.contents)
        except (LookupError, TypeError, RecursionError):
            self._events.on_malformed("attachments do not match the event")
            return
        if binary.number is not None:
            self._on_ack(binary.namespace, binary.number, args)
        else:
            mark = hash((binary.mark, *binary.contents)) if binary.namespace == "/" else 0
            self._deliver(binary.namespace, args, binary.size, mark)

    def _on_ack(self, namespace: str, number: bytes, args: Any) -> None:
        if number and isinstance(args, list):
            self._control.on_ack(namespace, int(number), args)
        else:
            self._events.on_malformed("an acknowledgement without number or arguments")

    def _decode(self, data: Buffer, start: int, end: int) -> Any:
        if start == end:
            return None
        try:
            return loads(memoryview(data)[start:end])
        except ValueError:
            return None

    def _deliver(self, namespace: str, args: Any, size: int, mark: int) -> None:
        if not isinstance(args, list) or len(args) < 2 or not isinstance(args[0], str):
            self._events.on_malformed("an event without name or data")
        elif args[0] in _RESERVED:
            self._events.on_malformed("an event under a reserved name")
        else:
            self._events.on_event(namespace, args[0], args[1], size, mark)


@attrs.define
class _Attachments:
    """A binary packet of which the attachments are still on their way."""

    namespace: str
    number: bytes | None
    args: Any
    """The arguments with placeholders; None when nobody wants them."""
    missing: int
    size: int
    mark: int
    contents: list[bytes] = attrs.field(factory=list)


def _filled(value: Any, contents: list[bytes]) -> Any:
    """Return *value* with its placeholders replaced by *contents*; containers change in place."""
    if type(value) is dict:
        if value.get("_placeholder") is True:
            number = value["num"]
            if type(number) is not int or number < 0:
                raise LookupError(number)
            return contents[number]
        for key, item in value.items():
            if type(item) is dict or type(item) is list:
                value[key] = _filled(item, contents)
    elif type(value) is list:
        for index, item in enumerate(value):
            if type(item) is dict or type(item) is list:
                value[index] = _filled(item, contents)
    return value


def _mark(namespace: str, data: Buffer, start: int, end: int) -> int:
    """Return what tells a frame on ``/`` from others, to find second copies; 0 elsewhere."""
    return hash(bytes(memoryview(data)[start:end])) if namespace == "/" else 0


def _memory(data: Buffer, start: int, end: int) -> int:
    """Return about how much memory the decoded text will take."""
    size = end - start
    if size < _SMALL:
        return size * _FACTOR + _BYTES_PER_EVENT
    return size + data.count(b'"', start, end) * _BYTES_PER_QUOTE + _BYTES_PER_EVENT


def _reason(answer: Any) -> str:
    message = answer.get("message") if isinstance(answer, dict) else answer
    return message if isinstance(message, str) else "no reason given"


def _read_open(data: Buffer, start: int, end: int) -> OpenPacket:
    try:
        fields = loads(memoryview(data)[start:end])
        interval, timeout = fields["pingInterval"] / 1000, fields["pingTimeout"] / 1000
        limit = fields.get("maxPayload")
        usable = 0 < interval < 86_400 and 0 < timeout < 86_400 and isinstance(fields["sid"], str)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        usable = False
    if not usable:
        raise ProtocolViolation("the server's Engine.IO handshake makes no sense")
    return OpenPacket(interval, timeout, limit if type(limit) is int and limit > 0 else None)
