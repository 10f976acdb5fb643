"""
The packets of socket.io 5, as strictly as the JavaScript parser reads them.

Own code, and not python-socketio's: that one accepts what a real server answers
by closing the connection, and a mistake it makes on both sides would stay unseen.
"""

from __future__ import annotations

import json
import re
from enum import IntEnum

from attrs import evolve, frozen


RESERVED = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
"""Names that no event may have."""


class Kind(IntEnum):
    """First character of a packet."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


@frozen
class Packet:
    """A decoded packet; *data* still has placeholders until the attachments are there."""

    kind: Kind
    namespace: str
    data: object = None
    id: int | None = None
    attachments: int = 0


class BadPacket(ValueError):
    """A real server answers this packet by closing the connection."""


_HEAD = re.compile(
    r"(?P<kind>[0-6])(?:(?P<attachments>\d+)-)?(?:(?P<namespace>/[^,]*),?)?(?P<id>\d+)?",
    re.ASCII | re.DOTALL,
)


def encode(
    kind: Kind, namespace: str, data: object = None, number: int | None = None
) -> list[str | bytes]:
    """
    Return the Engine.IO messages of one packet: a text and its attachments.

    Bytes anywhere in *data* become attachments; *kind* is EVENT or ACK then.
    *number* is the acknowledgement's.
    """
    attachments: list[bytes] = []

    def placeholder(value: object) -> object:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise TypeError(f"{type(value).__name__} cannot be sent: it is neither JSON nor bytes")
        attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}

    body = "" if data is None else _to_json(data, placeholder, attachments)
    head = f"{kind + 3}{len(attachments)}-" if attachments else f"{kind:d}"
    where = "" if namespace == "/" else f"{namespace},"
    tail = "" if number is None else str(number)
    return [f"{head}{where}{tail}{body}", *attachments]


def _to_json(data: object, placeholder: object, attachments: list[bytes]) -> str:
    def dump(ascii_only: bool) -> str:
        attachments.clear()
        return json.dumps(data, ensure_ascii=ascii_only, separators=(",", ":"), default=placeholder)  # type: ignore[arg-type]

    text = dump(ascii_only=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair: JavaScript escapes it too.
        text = dump(ascii_only=True)
    return text


def decode(text: str) -> Packet:
    """
    Read the text part of a packet.

    Raises:
        BadPacket: The packet breaks the grammar or carries what its kind cannot.
    """
    head = _HEAD.match(text)
    if head is None:
        raise BadPacket(text[:1])
    kind = Kind(int(head["kind"]))
    is_binary = kind in (Kind.BINARY_EVENT, Kind.BINARY_ACK)
    if is_binary != (head["attachments"] is not None):
        raise BadPacket("attachments")
    body = text[head.end() :]
    data = _payload(kind, body) if body else None
    return Packet(
        kind=kind,
        namespace=head["namespace"] or "/",
        data=data,
        id=int(head["id"]) if head["id"] else None,
        attachments=int(head["attachments"] or 0),
    )


def attach(packet: Packet, attachments: list[bytes]) -> Packet:
    """Return *packet* with its placeholders replaced."""
    return evolve(packet, data=_filled(packet.data, attachments))


def _payload(kind: Kind, body: str) -> object:
    try:
        data = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadPacket("JSON") from None
    if not _is_allowed(kind, data):
        raise BadPacket(kind.name)
    return data


def _no_constant(name: str) -> None:
    # Python reads NaN and Infinity, JavaScript's parser does not.
    raise BadPacket(name)


def _is_allowed(kind: Kind, data: object) -> bool:
    if kind is Kind.CONNECT:
        return isinstance(data, dict)
    if kind is Kind.CONNECT_ERROR:
        return isinstance(data, dict | str)
    if kind is Kind.DISCONNECT or not isinstance(data, list):
        return False
    if kind in (Kind.ACK, Kind.BINARY_ACK):
        return True
    name = data[0] if data else None
    is_number = isinstance(name, int | float) and not isinstance(name, bool)
    return is_number or (isinstance(name, str) and name not in RESERVED)


def _filled(value: object, attachments: list[bytes]) -> object:
    if isinstance(value, list):
        return [_filled(item, attachments) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("_placeholder") is True:
        number = value.get("num")
        if not isinstance(number, int) or not 0 <= number < len(attachments):
            raise BadPacket("illegal attachments")
        return attachments[number]
    return {key: _filled(item, attachments) for key, item in value.items()}
