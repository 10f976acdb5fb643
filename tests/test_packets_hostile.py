"""Packets of a server that means harm, or is broken: nothing worse than a new connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolution_ws._packets import PacketReader, ProtocolViolation

from .packet_tools import EVENT, OPEN, Sink, feed, read


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"4", id="no type"),
        pytest.param(b"47", id="unknown type"),
        pytest.param(b"4x", id="no digit"),
        pytest.param(b"42", id="no data"),
        pytest.param(b"42/sales,", id="no data in a namespace"),
        pytest.param(b"42[]", id="empty list"),
        pytest.param(b"42{}", id="dict"),
        pytest.param(b'42"x"', id="text"),
        pytest.param(b'42["x"]', id="name alone"),
        pytest.param(b'42[null,{"a":1}]', id="null name"),
        pytest.param(b'42[{"a":[]},1]', id="dict as a name"),
        pytest.param(b'42["x",{"a":', id="truncated"),
        pytest.param(b'42["x",{"event":"x","instance":"a","dat', id="truncated envelope"),
        pytest.param(b'42["x",' + b"[" * 100_000 + b"]" * 100_000 + b"]", id="100 000 deep"),
        pytest.param(b"42" + b"9" * 101 + b'["x",1]', id="number of 101 digits"),
        pytest.param(b'42["x",NaN]', id="NaN"),
        pytest.param(b'42["x",Infinity]', id="Infinity"),
        pytest.param(b'42["x","\xff"]', id="no UTF-8"),
        pytest.param(b'42["\xff",1]', id="name, no UTF-8"),
        pytest.param(b'42/sales["x",1]', id="namespace without comma"),
        pytest.param(b'421-["x",1]', id="attachments without the type"),
        pytest.param(b"40" + b'1-{"sid":"x"}', id="join with attachments"),
        pytest.param(b'42["connect",{}]', id="forged connect"),
        pytest.param(b'42["disconnect",{}]', id="forged disconnect"),
        pytest.param(b'42["connect_error",{}]', id="forged connect_error"),
        pytest.param(b'42["gap",{}]', id="forged gap"),
        pytest.param(b'42["disconne\\u0063t",{}]', id="forged disconnect, escaped"),
        pytest.param(b'450-["disconnect",{}]', id="forged disconnect, binary"),
        pytest.param(b"43[1]", id="ack without number"),
        pytest.param(b"43" + b"1" * 19 + b"[1]", id="ack with an endless number"),
        pytest.param(b"437{}", id="ack without list"),
        pytest.param(b"437", id="ack without anything"),
        pytest.param(b"437[", id="ack, truncated"),
        pytest.param(b"460-7[", id="binary ack, truncated"),
        pytest.param(b"460-[1]", id="binary ack without number"),
        pytest.param(b"45", id="binary without data"),
        pytest.param(b'450-["x",', id="binary, truncated"),
        pytest.param(b'450-["x', id="binary, truncated early"),
        pytest.param(b'459999999999-["x",1]', id="endless number of attachments"),
        pytest.param(b'450-["x",{"_placeholder":true,"num":0}]', id="placeholder without bytes"),
    ],
)
def test_a_malformed_packet_is_counted_and_the_next_one_is_whole(frame: bytes) -> None:
    """One packet that makes no sense costs nothing but itself."""
    sink = read(frame, EVENT)

    assert sink.kinds == ["malformed", "event"]


@pytest.mark.parametrize(
    "hole",
    [
        pytest.param('{"_placeholder":true,"num":1}', id="out of range"),
        pytest.param('{"_placeholder":true,"num":-1}', id="negative"),
        pytest.param('{"_placeholder":true,"num":"0"}', id="text"),
        pytest.param('{"_placeholder":true,"num":true}', id="bool"),
        pytest.param('{"_placeholder":true,"num":0.0}', id="float"),
        pytest.param('{"_placeholder":true}', id="missing"),
    ],
)
def test_a_wrong_placeholder_is_counted_and_the_next_event_is_whole(hole: str) -> None:
    """An event that cannot be put together is thrown away, with its attachments."""
    sink = read(f'451-["x",{hole}]', bytearray(b"a"), EVENT)

    assert sink.kinds == ["malformed", "event"]


def test_a_placeholder_that_is_not_true_is_data() -> None:
    """Only the mark that socket.io sets counts."""
    sink = read(b'451-["x",{"_placeholder":1,"num":0}]', bytearray(b"a"))

    assert sink.seen == [("event", "/", "x", {"_placeholder": 1, "num": 0})]


def test_a_lone_surrogate_is_delivered() -> None:
    """JavaScript sends half an emoji as an escape when a text was cut."""
    assert read(b'42["x","\\ud83d"]').seen == [("event", "/", "x", "\ud83d")]


def test_nesting_beyond_the_stack_is_malformed_in_a_binary_event() -> None:
    """Filling the placeholders in neither fails nor overflows."""
    deep = b"[" * 900 + b'{"_placeholder":true,"num":0}' + b"]" * 900

    sink = read(b'451-["x",' + deep + b"]", bytearray(b"a"), EVENT)

    assert sink.kinds[-1] == "event"
    assert len(sink.seen) == 2


def test_names_are_remembered_within_limits() -> None:
    """A server that invents names for ever fills no memory."""
    sink = Sink()
    reader = PacketReader(sink, sink, 10**6)

    for number in range(10_500):
        feed(reader, f'42["{number}",1]')
    feed(reader, '42["' + "x" * 5000 + '",1]')

    assert len(reader._names) == 10_000
    assert sink.seen[-1] == ("event", "/", "x" * 5000, 1)
    assert sum(len(name or b"") for name in reader._names) < 10_000 * 300


_PIECES = st.sampled_from(
    [
        *(b"4", b"0", b"2", b"5", b"6", b"1-", b"2-", b"/sales", b",", b'["x",', b"1]", b"{", b"}"),
        *(b'{"_placeholder":true,"num":0}', b"]", b'"', b"\\", b"\xff", b"null", b"7", EVENT, OPEN),
    ]
)
_FRAMES = st.lists(
    st.tuples(
        st.booleans(),
        st.one_of(st.binary(max_size=40), st.lists(_PIECES, max_size=8).map(b"".join)),
    ),
    max_size=6,
)


@given(_FRAMES)
def test_any_bytes_give_nothing_worse_than_a_violation(frames: list[tuple[bool, bytes]]) -> None:
    """Whatever a server sends, the thread that reads the socket survives it."""
    sink = Sink()
    reader = PacketReader(sink, sink, 10**6)

    for is_text, data in frames:
        try:
            reader.feed(data, 0, len(data), is_text)
        except ProtocolViolation:
            return

    assert set(sink.kinds) <= {"event", "malformed", "joined", "left", "refused", "ack"}


@given(_FRAMES, st.binary(max_size=9), st.binary(max_size=9))
def test_a_slice_of_a_buffer_is_read_like_a_frame_of_its_own(
    frames: list[tuple[bool, bytes]], before: bytes, after: bytes
) -> None:
    """What lies before and behind the frame in the buffer plays no part."""
    results = []
    for left, right in ((b"", b""), (before, after)):
        sink = Sink()
        reader = PacketReader(sink, sink, 10**6)
        for is_text, data in frames:
            buffer = bytearray(left + data + right)
            try:
                answer = reader.feed(buffer, len(left), len(left) + len(data), is_text)
            except ProtocolViolation:
                sink.seen.append(("violation",))
                break
            sink.seen.append(("answer", answer))
        results.append((sink.seen, sink.asked, sink.sizes, sink.marks))

    assert results[0] == results[1]
