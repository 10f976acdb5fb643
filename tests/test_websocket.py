"""The WebSocket that reads in large pieces: frames come out whole, however they came in."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
import websocket

from evolution_ws._engine import Session
from evolution_ws._packets import PacketReader, ProtocolViolation
from evolution_ws._websocket import EventSocket
from evolution_ws.config import ClientConfig
from tests.helpers import in_thread, wait_until
from tests.packet_tools import EVENT, PAYLOAD, Sink
from tests.raw_server import BINARY, CLOSE, CONT, PING, PONG, TEXT, frame


SEEN = ("event", "/sales", "messages.upsert", PAYLOAD)
BUFFER = 1024 * 1024


@attrs.define
class Wire:
    """The client's end of a connection under test, and the server's."""

    ws: EventSocket
    sink: Sink
    server: socket.socket

    def receive(self, data: bytes) -> str | bytes:
        """Send *data* to the client from another thread; return its next Engine.IO packet."""
        sending = in_thread(self.server.sendall, data)
        packet = self.ws.recv()
        sending.result()
        return packet

    def answer(self) -> bytes:
        """Return what the client sent, unmasked, with its opcode in front."""
        data = self.server.recv(1_000)
        key = data[2:6]
        return data[:1] + bytes(byte ^ key[i % 4] for i, byte in enumerate(data[6:]))


def make_socket(sock: Any, limit: int) -> tuple[EventSocket, Sink]:
    """Return a socket that reads from *sock*, and where its packets go."""
    sink = Sink()
    reader = PacketReader(sink, sink, limit)
    config = ClientConfig(max_event_bytes=limit)
    session = Session("http://127.0.0.1:9", "socket.io", {}, config, reader, "test", lambda: None)
    ws = EventSocket(reader=reader, session=session, skip_utf8_validation=True)
    ws.sock = sock
    return ws, sink


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Return a connected pair; the limit of an event is four megabytes."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    theirs.settimeout(10)
    with ours, theirs:
        yield Wire(*make_socket(ours, 4_000_000), theirs)


class Pieces:
    """A socket whose data comes in given pieces, one a call."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def recv_into(self, view: memoryview) -> int:
        """Read the next piece, or as much of it as fits."""
        piece = self._pieces.pop(0) if self._pieces else b""
        size = min(len(piece), len(view))
        view[:size] = piece[:size]
        if piece[size:]:
            self._pieces.insert(0, piece[size:])
        return size

    def fileno(self) -> int:
        """Return that there is no descriptor."""
        return -1


def _stream() -> tuple[bytes, list[Any]]:
    """Return bytes with every kind of frame, and what has to come of them."""
    binary = b'451-/sales,["messages.upsert",{"_placeholder":true,"num":0}]'
    long = b'42/sales,["messages.upsert","' + b"x" * 200 + b'"]'
    data = frame(TEXT, EVENT)
    data += frame(TEXT, binary) + frame(PONG, b"unasked") + frame(BINARY, b"\x00\x01\x02")
    data += frame(TEXT, EVENT[:7], fin=False) + frame(PONG) + frame(CONT, b"", fin=False)
    data += frame(CONT, EVENT[7:9], fin=False) + frame(CONT, EVENT[9:])
    data += frame(TEXT, long) + frame(TEXT, b"2")
    return data, [
        SEEN,
        ("event", "/sales", "messages.upsert", b"\x00\x01\x02"),
        SEEN,
        ("event", "/sales", "messages.upsert", "x" * 200),
    ]


def test_frames_split_at_every_byte() -> None:
    """Wherever the network cuts the stream in two, the same packets come out."""
    data, expected = _stream()
    for cut in range(len(data) + 1):
        ws, sink = make_socket(Pieces(data[:cut], data[cut:]), 1_000_000)

        assert ws.recv() == "2"
        assert sink.seen == expected, cut


def test_frames_byte_by_byte() -> None:
    """A stream that comes in single bytes yields the same packets."""
    data, expected = _stream()
    ws, sink = make_socket(Pieces(*(bytes([byte]) for byte in data)), 1_000_000)

    assert ws.recv() == "2"
    assert sink.seen == expected


@pytest.mark.parametrize("seed", range(5))
def test_many_frames_in_random_pieces(seed: int) -> None:
    """A long stream of frames of all sizes comes out whole from pieces of all sizes."""
    chance = random.Random(seed)
    texts = ["x" * chance.choice([0, 1, 90, 130, 5_000, 70_000, 300_000]) for _ in range(40)]
    data = b"".join(frame(TEXT, f'42/sales,["a","{text}"]'.encode()) for text in texts)
    data += frame(TEXT, b"2")
    cuts = sorted(chance.randrange(len(data)) for _ in range(60))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    ws, sink = make_socket(Pieces(*pieces), 1_000_000)

    assert ws.recv() == "2"
    assert [seen[3] for seen in sink.seen] == texts


SIZES = [0, 125, 126, 65_535, 65_536, *range(BUFFER - 12, BUFFER + 3), 3_990_000]


@pytest.mark.parametrize("kind", [TEXT, BINARY], ids=["text", "binary"])
def test_sizes_around_the_limits_of_headers_and_buffer(wire: Wire, kind: int) -> None:
    """Frames whose size lies at a boundary come out whole, one after the other."""
    data, expected = b"", []
    for size in SIZES:
        if kind == TEXT:
            head, tail = b'42/sales,["a","', b'"]'
            filler = max(0, size - len(head + tail))
            data += frame(TEXT, head + b"y" * filler + tail)
            expected.append("y" * filler)
        else:
            data += frame(TEXT, b'451-/sales,["a",{"_placeholder":true,"num":0}]')
            data += frame(BINARY, bytes([size % 256]) * size)
            expected.append(bytes([size % 256]) * size)

    assert wire.receive(data + frame(TEXT, b"2")) == "2"
    assert [seen[3] for seen in wire.sink.seen] == expected


def test_a_ping_between_fragments_is_answered(wire: Wire) -> None:
    """Control frames may come between the fragments of a message."""
    data = frame(TEXT, EVENT[:20], fin=False) + frame(PING, b"are you there")
    data += frame(CONT, EVENT[20:]) + frame(TEXT, b"2")

    assert wire.receive(data) == "2"
    assert wire.sink.seen == [SEEN]
    assert wire.answer() == b"\x8aare you there"


def test_a_fragmented_attachment(wire: Wire) -> None:
    """Attachments may come in fragments as well as texts."""
    data = frame(TEXT, b'451-/sales,["a",{"_placeholder":true,"num":0}]')
    data += frame(BINARY, b"abc", fin=False) + frame(CONT, b"def") + frame(TEXT, b"2")

    assert wire.receive(data) == "2"
    assert wire.sink.seen == [("event", "/sales", "a", b"abcdef")]


def test_a_close_frame_is_answered(wire: Wire) -> None:
    """The server's farewell is answered, and ends the reading."""
    assert wire.receive(frame(CLOSE, b"\x03\xe8")) == ""
    assert wire.answer()[:3] == b"\x88\x03\xe8"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(frame(TEXT, EVENT, mask=True), "must not mask", id="masked"),
        pytest.param(frame(TEXT, EVENT, rsv=4), "rsv", id="rsv"),
        pytest.param(frame(5, b"x"), "opcode", id="opcode"),
        pytest.param(frame(CONT, b"x"), "out of place", id="continuation"),
        pytest.param(
            frame(TEXT, b"4", fin=False) + frame(TEXT, EVENT), "out of place", id="text-in-text"
        ),
        pytest.param(frame(PING, b"x", fin=False), "ping", id="ping-in-pieces"),
    ],
)
def test_a_broken_frame(wire: Wire, data: bytes, error: str) -> None:
    """What the protocol forbids raises, and cuts the connection."""
    with pytest.raises(websocket.WebSocketProtocolException, match=f"(?i){error}"):
        wire.receive(data)

    assert wire.server.recv(100) == b""


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"x")[:1] + b"\x7f" + (2**40).to_bytes(8, "big"),
        frame(BINARY, b"x" * 3_000_000, fin=False) + frame(CONT, b"x" * 2_000_000),
    ],
    ids=["announced", "in-fragments"],
)
def test_a_frame_beyond_the_limit(wire: Wire, data: bytes) -> None:
    """Too large an event raises when it is announced, before its bytes are read."""
    sending = in_thread(wire.server.sendall, data)
    with pytest.raises(ProtocolViolation, match="larger than max_event_bytes"):
        wire.ws.recv()

    assert wire.ws._session.oversized
    wait_until(lambda: sending.is_done)


@pytest.mark.parametrize("text", ["1", "7", "b4xx", "é", ""], ids=str)
def test_what_is_not_for_the_engine(wire: Wire, text: str) -> None:
    """A close packet and nonsense end the connection instead of confusing python-engineio."""
    with pytest.raises(ProtocolViolation):
        wire.receive(frame(TEXT, text.encode()))


def test_silence_and_the_end(wire: Wire) -> None:
    """A server that says nothing for too long, or hangs up, is told apart."""
    wire.ws.settimeout(0.01)
    with pytest.raises(websocket.WebSocketTimeoutException):
        wire.ws.recv()
    with pytest.raises(websocket.WebSocketConnectionClosedException, match="hung up"):
        wire.ws.recv()
    wire.ws.sock = None
    with pytest.raises(websocket.WebSocketConnectionClosedException, match="is closed"):
        wire.ws.recv()


def test_reading_continues_the_handshake_buffer(wire: Wire) -> None:
    """Bytes of frames are read by the parent class from the same buffer as by this one."""
    wire.server.sendall(b"abcdef")

    assert wire.ws._recv(2) == b"ab"
    assert wire.ws._recv(100) == b"cdef"


def test_frames_of_a_burst_leave_together(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent while more waits goes out with the last one, in order and whole."""
    monkeypatch.setattr(Session, "unsent", 3)
    wire.ws.send("one")
    wire.ws.send("two")
    wire.server.settimeout(0.05)
    with pytest.raises(TimeoutError):
        wire.server.recv(100)

    monkeypatch.setattr(Session, "unsent", 1)
    wire.ws.send("three")
    wire.server.settimeout(5)

    texts = [unmasked(wire.server) for _ in range(3)]
    assert ["one", "two", "three"] == texts
    wire.ws.sock = None
    with pytest.raises(websocket.WebSocketConnectionClosedException, match="is closed"):
        wire.ws.send("four")


def unmasked(sock: socket.socket) -> str:
    """Read a short frame of a client and return its text."""
    head = sock.recv(6, socket.MSG_WAITALL)
    payload = sock.recv(head[1] & 0x7F, socket.MSG_WAITALL)
    return bytes(byte ^ head[2 + index % 4] for index, byte in enumerate(payload)).decode()
