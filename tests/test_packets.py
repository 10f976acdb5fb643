"""Packets out of frames: every kind, attachments, round trips of all samples."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from evolution_ws._packets import OpenPacket, PacketReader, ProtocolViolation

from . import samples
from .packet_tools import ASK_AGAIN, EVENT, JOINED, OPEN, PAYLOAD, Frame, Sink, encoded, feed, read


WIRE = sorted((samples.DATA / "wire").glob("*.json"))


# Every kind of packet


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        pytest.param(b'40{"sid":"x"}', ("joined", "/"), id="join of root"),
        pytest.param(b"40", ("joined", "/"), id="join without sid"),
        pytest.param(JOINED, ("joined", "/sales"), id="join"),
        pytest.param('40/lojá 1,{"sid":"x"}', ("joined", "/lojá 1"), id="join, not ASCII"),
        pytest.param(b"41", ("left", "/"), id="leave of root"),
        pytest.param(b"41/sales,", ("left", "/sales"), id="leave"),
        pytest.param(b"41/sales", ("left", "/sales"), id="leave without comma"),
        pytest.param(ASK_AGAIN, ("refused", "/sales", "Invalid namespace"), id="refusal"),
        pytest.param(b'44{"message":"no"}', ("refused", "/", "no"), id="refusal of root"),
        pytest.param(b'44/a,"no"', ("refused", "/a", "no"), id="refusal as a text"),
        pytest.param(b"44/a,", ("refused", "/a", "no reason given"), id="refusal, empty"),
        pytest.param(b"44/a,{", ("refused", "/a", "no reason given"), id="refusal, no JSON"),
        pytest.param(b'44/a,{"message":5}', ("refused", "/a", "no reason given"), id="no text"),
        pytest.param(b"43/a,7[1,2]", ("ack", "/a", 7, [1, 2]), id="ack"),
        pytest.param(b"4312[]", ("ack", "/", 12, []), id="ack of root without arguments"),
        pytest.param(EVENT, ("event", "/sales", "messages.upsert", PAYLOAD), id="event"),
        pytest.param(b'42["x",[1]]', ("event", "/", "x", [1]), id="event of root, no envelope"),
        pytest.param(b'42["x",1,2,3]', ("event", "/", "x", 1), id="more arguments"),
        pytest.param(b'42/a,17["x",1]', ("event", "/a", "x", 1), id="event that wants an ack"),
        pytest.param(b'42 ["x", 1]', ("event", "/", "x", 1), id="event with blanks"),
        pytest.param(b'42["\\u0061",1]', ("event", "/", "a", 1), id="escaped name"),
        pytest.param(b'42["q\\"",1]', ("event", "/", 'q"', 1), id="quote in the name"),
        pytest.param('42["ação",1]', ("event", "/", "ação", 1), id="name, not ASCII"),
        pytest.param(b'450-["x",1]', ("event", "/", "x", 1), id="binary without attachments"),
        pytest.param(b'45["x",1]', ("event", "/", "x", 1), id="binary without a count"),
    ],
)
def test_feed_tells_the_sinks(frame: Frame, expected: tuple[Any, ...]) -> None:
    """Each kind of packet reaches its sink, with its namespace."""
    assert read(frame).seen == [expected]


@pytest.mark.parametrize("frame", [b"2", b"3probe", b"1", b"6", b"", b"5", b"x"])
def test_feed_leaves_engineio_packets_to_engineio(frame: bytes) -> None:
    """What is no socket.io packet is not handled here."""
    sink = Sink()

    assert feed(PacketReader(sink, sink, 1000), frame) is False
    assert sink.seen == []


def test_feed_reads_the_handshake_and_passes_it_on() -> None:
    """The limits that the server announces are kept."""
    sink = Sink()
    reader = PacketReader(sink, sink, 1000)

    assert feed(reader, OPEN) is False
    assert reader.opened == OpenPacket(25.0, 20.0, 1_000_000)


@pytest.mark.parametrize("limit", ['"1"', "0", "-5", "true", "1.5", "null"])
def test_a_senseless_maximum_payload_is_none(limit: str) -> None:
    """No limit is better than a wrong one."""
    sink = Sink()
    reader = PacketReader(sink, sink, 1000)

    feed(reader, f'0{{"sid":"x","pingInterval":1,"pingTimeout":1,"maxPayload":{limit}}}')

    assert reader.opened == OpenPacket(0.001, 0.001, None)


@pytest.mark.parametrize(
    "opening",
    [
        "",
        "{",
        "[]",
        '"text"',
        "5",
        "null",
        "{}",
        '{"sid":"x","pingInterval":25000}',
        '{"pingInterval":25000,"pingTimeout":20000}',
        '{"sid":5,"pingInterval":25000,"pingTimeout":20000}',
        '{"sid":"x","pingInterval":"25000","pingTimeout":20000}',
        '{"sid":"x","pingInterval":0,"pingTimeout":20000}',
        '{"sid":"x","pingInterval":-1,"pingTimeout":20000}',
        '{"sid":"x","pingInterval":1e18,"pingTimeout":20000}',
        '{"sid":"x","pingInterval":25000,"pingTimeout":' + "9" * 400 + "}",
        '{"sid":"x","pingInterval":25000,"pingTimeout":NaN}',
    ],
)
def test_a_senseless_handshake_is_a_violation(opening: str) -> None:
    """Such a connection could neither be watched nor trusted."""
    with pytest.raises(ProtocolViolation, match="handshake"):
        read("0" + opening)


# Attachments


def test_attachments_take_the_places_of_their_placeholders() -> None:
    """Each placeholder becomes the bytes with its number, at any depth."""
    hole = '{"_placeholder":true,"num":%d}'

    sink = read(
        f'452-/a,["x",{{"a":{hole % 1},"b":[[{hole % 0}],{{"c":{hole % 1}}},2],"d":{{}}}}]',
        bytearray(b"zero"),
        bytearray(b"one"),
    )

    expected = {"a": b"one", "b": [[b"zero"], {"c": b"one"}, 2], "d": {}}
    assert sink.seen == [("event", "/a", "x", expected)]


def test_attachments_come_in_an_acknowledgement_as_well() -> None:
    """A binary acknowledgement is put together in the same way."""
    sink = read(b'461-/a,9[{"_placeholder":true,"num":0}]', bytearray(b"\x00"))

    assert sink.seen == [("ack", "/a", 9, [b"\x00"])]


def test_engineio_packets_may_come_between_attachments() -> None:
    """A ping does not disturb an event that is on its way."""
    sink = read(b'451-["x",{"_placeholder":true,"num":0}]', b"2", bytearray(b"z"))

    assert sink.seen == [("event", "/", "x", b"z")]


def test_an_event_that_nobody_wants_takes_its_attachments_along() -> None:
    """Neither its text is decoded nor its bytes are kept, and the next event is whole."""
    sink = Sink(is_wanted=False)
    reader = PacketReader(sink, sink, 10**6)

    feed(reader, b'452-/a,["x",{"event":"x","instance":"a", this is no JSON')
    feed(reader, bytearray(b"1"))
    feed(reader, bytearray(b"2"))
    sink.is_wanted = True
    feed(reader, b'42/a,["y",1]')

    assert sink.asked == [("/a", "x", "a"), ("/a", "y", None)]
    assert sink.seen == [("event", "/a", "y", 1)]


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([bytearray(b"x")], id="unannounced"),
        pytest.param([b'451-["x",1]', bytearray(b"a"), bytearray(b"b")], id="one too many"),
        pytest.param([b'452-["x",1]', bytearray(b"a"), b'42["y",1]'], id="one too few"),
        pytest.param([b'459999999-["x",1]', b'42["y",1]'], id="far too few"),
        pytest.param([b'451-["x",1]', b"41"], id="another packet instead"),
        pytest.param([b'451-["x",1]', b"4"], id="an empty packet instead"),
    ],
)
def test_attachments_that_do_not_add_up_are_a_violation(frames: list[Frame]) -> None:
    """What follows could be anything: the connection is given up."""
    with pytest.raises(ProtocolViolation):
        read(*frames)


@pytest.mark.parametrize("is_wanted", [True, False])
def test_attachments_beyond_the_limit_are_a_violation(is_wanted: bool) -> None:
    """Many attachments together are limited as one event is."""
    with pytest.raises(ProtocolViolation, match="larger than allowed"):
        read(
            b'453-["x",1]',
            *[bytearray(700)] * 3,
            sink=Sink(is_wanted=is_wanted),
            max_bytes=3000,
        )


def test_empty_attachments_are_limited_as_well() -> None:
    """They take memory although they have no length."""
    with pytest.raises(ProtocolViolation, match="larger than allowed"):
        read(b'45999999999-["x",1]', *[bytearray()] * 100, max_bytes=3000)


# Samples


@pytest.mark.parametrize("name", samples.NAMES)
@pytest.mark.parametrize("on_root", [True, False], ids=["root", "instance"])
def test_samples_survive_the_encoding_of_upstream(name: str, on_root: bool) -> None:
    """What python-socketio encodes is read back as it was, bytes included."""
    envelope = samples.load(name)
    event, instance = envelope["event"], envelope.get("instance", "")
    namespace = "/" if on_root else f"/{instance}"

    sink = read(*encoded([event, samples.load(name)], namespace))

    assert sink.seen == [("event", namespace, event, envelope)]
    assert [asked[:2] for asked in sink.asked] == [(namespace, event)]


@pytest.mark.parametrize(
    "path", sorted((samples.DATA / "wire").glob("*.json")), ids=lambda p: p.stem
)
def test_frames_of_a_real_server_are_read(path: Any) -> None:
    """Frames that were recorded give the sample that was sent."""
    record = json.loads(path.read_text(encoding="utf-8"))
    frames = [
        frame["text"] if "text" in frame else bytearray(base64.b64decode(frame["binary_base64"]))
        for frame in record["frames"]
    ]

    sink = read(*frames)

    if "sample" in record:
        sample = samples.load(record["sample"].removesuffix(".json"))
        namespace = record["namespace"]
        assert sink.seen[-2:] == [
            ("joined", namespace),
            ("event", namespace, sample["event"], sample),
        ]
    else:
        assert sink.seen == [("refused", record["namespace"], "Invalid namespace")]


# What the intake is asked and told


def test_an_event_that_nobody_wants_is_not_decoded() -> None:
    """The name and the instance come from the head of the frame; the rest is not even JSON."""
    frame = b'42/sales,["x",{"event":"x","instance":"s1", this is no JSON'

    sink = read(frame, sink=Sink(is_wanted=False))

    assert sink.asked == [("/sales", "x", "s1")]
    assert sink.seen == []


@pytest.mark.parametrize(
    "frame",
    [b'42["\\u0078",{}]', b'42 ["x",{}]', b'450- ["x",{}]'],
    ids=["escaped", "blank", "binary"],
)
def test_an_unusual_event_that_nobody_wants_is_not_delivered(frame: bytes) -> None:
    """Where the head cannot tell the name, the decoded event is asked about."""
    sink = read(frame, sink=Sink(is_wanted=False))

    assert (sink.asked, sink.seen) == ([("/", "x", None)], [])


@pytest.mark.parametrize("namespace", ["/", "/sales"])
def test_marks_tell_second_copies_on_root(namespace: str) -> None:
    """Equal frames on / have equal marks, others different ones, attachments included."""

    def frames(text: str, content: bytes) -> list[Frame]:
        return encoded(["x", {"a": text, "b": content}], namespace)

    plain = [encoded(["x", text], namespace)[0] for text in ("1", "2", "1")]

    sink = read(*plain, *frames("1", b"a"), *frames("1", b"b"), *frames("1", b"a"))

    first, second, third, fourth, fifth, sixth = sink.marks
    if namespace == "/":
        assert (first, fourth) == (third, sixth)
        assert len({first, second, fourth, fifth}) == 4
    else:
        assert set(sink.marks) == {0}


def test_the_mark_of_an_escaped_name_is_one_as_well() -> None:
    """Events whose name the head cannot tell are told apart, too."""
    sink = read(b'42["\\u0061",1]', b'42["\\u0061",2]', b'42["\\u0061",1]')

    assert sink.marks[0] == sink.marks[2] != sink.marks[1]


def test_the_size_grows_with_text_strings_and_attachments() -> None:
    """The estimate of the memory counts the text, its strings and the bytes beside it."""
    sink = read(
        b'42["x",1]',
        b'42["x","' + b"a" * 1000 + b'"]',
        b'42["x",' + json.dumps(["a"] * 10_000).encode() + b"]",
        b'451-["x",1]',
        bytearray(5000),
    )

    small, long, strings, binary = sink.sizes
    assert small < 1000 <= long - small
    assert strings - small > 10_000 * 40  # about what a str takes
    assert binary - small > 5000
