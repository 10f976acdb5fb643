"""What the tests of packets share: a sink that writes down, and frames to feed."""

from __future__ import annotations

from typing import Any

import attrs
import socketio.packet

from evolution_ws._packets import PacketReader


Frame = str | bytes | bytearray

OPEN = b'0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
JOINED, ASK_AGAIN = b'40/sales,{"sid":"s"}', b'44/sales,{"message":"Invalid namespace"}'
EVENT = b'42/sales,["messages.upsert",{"event":"messages.upsert","instance":"sales","data":1}]'
PAYLOAD = {"event": "messages.upsert", "instance": "sales", "data": 1}


@attrs.define
class Sink:
    """Writes down what a reader notices."""

    seen: list[tuple[Any, ...]] = attrs.field(factory=list)
    asked: list[tuple[Any, ...]] = attrs.field(factory=list)
    sizes: list[int] = attrs.field(factory=list)
    marks: list[int] = attrs.field(factory=list)
    is_wanted: bool = True

    def wants(self, namespace: str, name: str, instance: str | None) -> bool:
        """Answer as the test says."""
        self.asked.append((namespace, name, instance))
        return self.is_wanted

    def on_event(self, namespace: str, name: str, payload: Any, size: int, mark: int) -> None:
        """Note an event."""
        self.seen.append(("event", namespace, name, payload))
        self.sizes.append(size)
        self.marks.append(mark)

    def on_malformed(self, problem: str) -> None:
        """Note a malformed packet."""
        self.seen.append(("malformed", problem))

    def on_joined(self, namespace: str) -> None:
        """Note a join."""
        self.seen.append(("joined", namespace))

    def on_refused(self, namespace: str, reason: str) -> None:
        """Note a refusal."""
        self.seen.append(("refused", namespace, reason))

    def on_left(self, namespace: str) -> None:
        """Note a leave."""
        self.seen.append(("left", namespace))

    def on_ack(self, namespace: str, number: int, args: list[Any]) -> None:
        """Note an acknowledgement."""
        self.seen.append(("ack", namespace, number, args))

    @property
    def kinds(self) -> list[str]:
        """The kinds of what was noticed."""
        return [kind for kind, *_ in self.seen]


def read(*frames: Frame, sink: Sink | None = None, max_bytes: int = 10**6) -> Sink:
    """Feed frames, text for ASCII bytes or str and binary for bytearray, to a new reader."""
    sink = sink or Sink()
    reader = PacketReader(sink, sink, max_bytes)
    for frame in frames:
        feed(reader, frame)
    return sink


def feed(reader: PacketReader, frame: Frame) -> bool:
    """Feed one frame; a bytearray is binary."""
    data = frame.encode("utf-8", "surrogatepass") if isinstance(frame, str) else frame
    return reader.feed(data, 0, len(data), not isinstance(frame, bytearray))


def encoded(data: list[Any], namespace: str) -> list[Frame]:
    """Return the frames of an event as python-socketio's own encoder makes them."""
    packet = socketio.packet.Packet(socketio.packet.EVENT, data=data, namespace=namespace)
    frames = packet.encode()
    first, *rest = frames if isinstance(frames, list) else [frames]
    return ["4" + first, *map(bytearray, rest)]
