"""Malformed and malicious input on the wire: counted or cut off, never a hang or a silence."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from evolution_ws import Event, NamespaceState
from evolution_ws.events import MessageEvent
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import assert_closes, make_client, seqs
from tests.helpers import Gate, wait_until
from tests.raw_server import BINARY, CONT, PING, TEXT, Peer, RawServer, event_text, frame


DEEP = "[" * 100_000 + "]" * 100_000


def sales(rest: str, kind: str = "42") -> str:
    """Return a packet in the instance's namespace."""
    return f"{kind}/sales,{rest}"


# What is counted and survived

MALFORMED = {
    "unknown-type": ["49[1]"],
    "type-only": ["4"],
    "no-arguments": [sales("[]")],
    "no-data": [sales('["messages.upsert"]')],
    "no-list": [sales('{"messages.upsert":1}')],
    "no-payload": [sales("")],
    "truncated": [sales('["messages.upsert",{"a":')],
    "no-json": [sales("[messages]")],
    "name-is-null": [sales("[null,{}]")],
    "name-is-a-dict": [sales("[{},{}]")],
    "name-is-a-list": [sales("[[],{}]")],
    "deep-nesting": [sales(f'["messages.upsert",{DEEP}]')],
    "nan": [sales('["messages.upsert",{"data":NaN}]')],
    "infinity": [sales('["messages.upsert",{"data":-Infinity}]')],
    "reserved-connect": [sales('["connect",{}]')],
    "reserved-disconnect": [sales('["disconnect",{}]')],
    "reserved-gap": [sales('["gap",{}]')],
    "announced-for-text": [sales('["messages.upsert",{}]', "421-")],
    "ack-without-number": [sales("[1]", "43")],
    "ack-without-list": ["43/sales,1{}"],
    "placeholder-out-of-range": [
        sales('["messages.upsert",{"data":{"_placeholder":true,"num":5}}]', "451-"),
        b"x",
    ],
    "placeholder-negative": [
        sales('["messages.upsert",{"data":{"_placeholder":true,"num":-1}}]', "451-"),
        b"x",
    ],
    "placeholder-no-number": [
        sales('["messages.upsert",{"data":{"_placeholder":true,"num":"0"}}]', "451-"),
        b"x",
    ],
    "placeholder-without-number": [
        sales('["messages.upsert",{"data":{"_placeholder":true}}]', "451-"),
        b"x",
    ],
    "binary-without-json": [sales('["messages.upsert",', "451-"), b"x"],
}


@pytest.mark.parametrize("messages", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_packet_is_counted(
    server: FakeEvolutionServer, messages: list[str | bytes]
) -> None:
    """What makes no sense is counted and left out; the same connection goes on."""
    lifecycle: list[str] = []
    client = make_client(server.url)
    client.on("connect", "disconnect", "gap", callback=lambda event: lifecycle.append(event.type))
    with client:
        server.emit_raw(messages)
        server.emit("messages.upsert", {"seq": 1})

        assert client.get(10).data == {"seq": 1}
        assert client.stats.malformed == 1
        assert client.stats.reconnects == 0
    assert lifecycle == ["connect", "disconnect"]


HARMLESS = {
    "namespace-joined-twice": [sales('{"sid":"x"}', "40")],
    "foreign-namespace-joined": ['40/evil,{"sid":"x"}'],
    "foreign-namespace-refused": ['44/evil,{"message":"Invalid namespace"}'],
    "foreign-namespace-left": ["41/evil,"],
    "foreign-namespace-event": ['42/evil,["nonsense",{}]'],
    "foreign-acknowledgement": [sales("[1]", "43") + "1"],
    "engine-noop": ["6"],
    "engine-pong": ["3", "3probe"],
    "engine-open-again": ['0{"sid":"x","upgrades":[],"pingInterval":1000,"pingTimeout":1000}'],
}


@pytest.mark.parametrize("messages", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_concerns_nobody_is_ignored(
    server: FakeEvolutionServer, messages: list[str | bytes]
) -> None:
    """Packets out of place change nothing: the next event comes over the same connection."""
    with make_client(server.url) as client:
        server.emit_raw(messages)
        server.emit("messages.upsert", {"seq": 1})
        events = client.events("messages.upsert", timeout=10)

        assert next(events).data == {"seq": 1}
        assert client.namespaces == {"/": NamespaceState.JOINED, "/sales": NamespaceState.JOINED}
        assert client.stats.reconnects == 0


STRANGE = {
    "no-envelope": '["messages.upsert",5]',
    "null": '["messages.upsert",null]',
    "list": '["messages.upsert",[1,[2]]]',
    "instance-is-a-list": '["messages.upsert",{"event":"call","instance":[1],"data":{}}]',
    "event-is-a-number": '["messages.upsert",{"event":5,"instance":"sales","data":{}}]',
    "data-is-missing": '["messages.upsert",{"event":"messages.upsert","instance":"sales"}]',
    "several-arguments": '["messages.upsert",{"data":{}},{"more":1},2]',
    "huge-integer": '["messages.upsert",{"data":' + "9" * 101 + "}]",
    "huge-float": '["messages.upsert",{"data":[1e308,-1e308,1e-400]}]',
    "beyond-float": '["messages.upsert",{"data":[1e400,-1e400]}]',
    "lone-surrogate": '["messages.upsert",{"data":{"key":{"id":"\\ud83d"},"a":"\\udfff"}}]',
    "duplicate-keys": '["messages.upsert",{"data":1,"data":2}]',
    "nul": '["messages.upsert",{"data":"a\\u0000b","instance":"sales"}]',
    "terminal": '["\\u001b[31mmessages",{"data":"\\u001b]0;x\\u0007"}]',
    "long-name": '["' + "x" * 5_000 + '",{}]',
    "dates": '["messages.upsert",{"data":{"messageTimestamp":1e300},"date_time":[]}]',
}


@pytest.mark.parametrize("packet", STRANGE.values(), ids=STRANGE.keys())
def test_strange_contents_become_events(server: FakeEvolutionServer, packet: str) -> None:
    """What is JSON under a name is delivered; looking at it, in any way, never raises."""
    with make_client(server.url) as client:
        server.emit_raw(sales(packet))
        event = client.get(10)

        assert isinstance(event, Event)
        assert Event.from_dict(event.to_dict()) == event
        assert repr(event)
        assert event.id
        assert event.to_json()
        if isinstance(event, MessageEvent):
            assert event.message.kind
            assert not event.message.text
        assert client.stats.malformed == 0
        assert client.stats.reconnects == 0


# What ends the connection, which is opened anew

PLACEHOLDER = '["x",{"_placeholder":true,"num":0}]'

CUT = {
    "attachment-missing": [sales(PLACEHOLDER, "452-"), b"1", event_text(0)],
    "attachments-without-end": [sales(PLACEHOLDER, "459999999-"), event_text(0)],
    "attachment-of-nothing": [b"x"],
    "empty-frame": [""],
    "engine-unknown": ["7"],
    "engine-nonsense": ["a"],
    "engine-close": ["1"],
    "engine-base64": ["bNDI="],
    "root-refused": ['44{"message":"Invalid namespace"}'],
}


@pytest.mark.parametrize("messages", CUT.values(), ids=CUT.keys())
def test_a_connection_that_cannot_be_trusted_is_replaced(
    server: FakeEvolutionServer, messages: list[str | bytes]
) -> None:
    """Where the packets' order is in doubt the client connects anew, and events go on."""
    with make_client(server.url) as client:
        server.emit_raw(messages)
        wait_until(lambda: client.stats.reconnects == 1)
        wait_until(lambda: client.is_connected)
        server.emit("messages.upsert", {"seq": 1})

        assert client.get(10).data == {"seq": 1}


EVENT = event_text(0, namespace="/sales").encode()

BAD_FRAMES = {
    "masked": frame(TEXT, EVENT, mask=True),
    "rsv1": frame(TEXT, EVENT, rsv=4),
    "rsv2": frame(TEXT, EVENT, rsv=2),
    "opcode-3": frame(3, EVENT),
    "opcode-11": frame(11),
    "continuation-of-nothing": frame(CONT, EVENT),
    "text-inside-fragments": frame(TEXT, b"42", fin=False) + frame(TEXT, EVENT),
    "fragmented-ping": frame(PING, b"x", fin=False),
    "long-ping": frame(PING, b"x" * 126),
    "length-2-to-the-40": b"\x82\x7f" + (2**40).to_bytes(8, "big") + b"x" * 1_000,
    "length-2-to-the-63": b"\x81\x7f" + (2**63).to_bytes(8, "big"),
    "fragment-beyond-the-limit": frame(BINARY, b"x", fin=False)
    + b"\x80\x7f"
    + (2**32).to_bytes(8, "big"),
    "no-utf8": frame(TEXT, b"2\xff\xfe"),
    "close-without-code": frame(8),
    "close-with-half-a-code": frame(8, b"\x03"),
    "close-with-a-bad-code": frame(8, (12).to_bytes(2, "big")),
    "http": b"HTTP/1.1 400 Bad Request\r\n" + b"X-Header: something\r\n" * 10,
}


@pytest.mark.parametrize("data", BAD_FRAMES.values(), ids=BAD_FRAMES.keys())
def test_a_broken_frame_ends_the_connection(server: FakeEvolutionServer, data: bytes) -> None:
    """Bytes that are no frames the server may send end the connection; the next one works."""
    with make_client(server.url) as client:
        server.emit_raw(data, tcp=True)
        wait_until(lambda: client.stats.reconnects == 1)
        wait_until(lambda: client.is_connected)
        server.emit("messages.upsert", {"seq": 1})

        assert client.get(10).data == {"seq": 1}
        assert client.stats.delivered == 1


def test_invalid_utf8_in_an_event_is_malformed(server: FakeEvolutionServer) -> None:
    """Text that is no UTF-8 costs the event and not the connection."""
    with make_client(server.url) as client:
        bad = b'42/sales,["messages.upsert",{"data":"\xff\xfe"}]'
        server.emit_raw(frame(TEXT, bad), tcp=True)
        server.emit("messages.upsert", {"seq": 1})

        assert client.get(10).data == {"seq": 1}
        assert client.stats.malformed == 1


@pytest.mark.parametrize("data", ["x" * 20_000, b"x" * 20_000], ids=["text", "attachment"])
def test_an_event_beyond_the_limit_ends_the_connection(
    server: FakeEvolutionServer, data: str | bytes
) -> None:
    """max_event_bytes is a limit on text and on attachments; the reason is told."""
    reasons: list[str] = []
    client = make_client(server.url, max_event_bytes=10_000)
    client.on("disconnect", callback=lambda event: reasons.append(event.reason))
    with client:
        server.emit("messages.upsert", data)
        wait_until(lambda: client.stats.reconnects == 1)
        wait_until(lambda: client.is_connected)
        server.emit("messages.upsert", {"seq": 1})

        assert client.get(10).data == {"seq": 1}
        assert reasons == ["the server sent an event larger than max_event_bytes"]


def test_a_frame_that_never_ends_does_not_hold_the_end_up() -> None:
    """A client that is being fed a frame byte by byte closes at once."""

    def drip(peer: Peer) -> None:
        peer.welcome()
        peer.raw(b"\x81\x7e\x40\x00")
        peer.drip(b"4")

    with RawServer(drip) as raw:
        client = make_client(raw.url, None).connect()
        wait_until(lambda: raw.connections)

        assert_closes(client)


# Floods and noise


def test_a_flood_of_small_fragments_is_read(server: FakeEvolutionServer) -> None:
    """A message in thousands of pieces costs time in proportion to its size."""
    text = event_text(1, namespace="/sales").encode()
    pieces = [frame(TEXT, text[:1], fin=False)]
    pieces += [frame(CONT, text[i : i + 1], fin=False) for i in range(1, len(text))]
    pieces += [frame(CONT, b"", fin=False)] * 20_000 + [frame(CONT)]
    with make_client(server.url) as client:
        server.emit_raw(b"".join(pieces), tcp=True)

        assert client.get(10).data == {"seq": 1}


def test_a_large_event_in_pieces_costs_no_more_than_a_few_whole_ones() -> None:
    """Twenty megabytes in twenty thousand fragments are put together once, not with each one."""
    filler = '"text":"' + "x" * 20_000_000 + '","seq"'
    whole, divided = (event_text(seq).replace('"seq"', filler).encode() for seq in (1, 2))
    pieces = [divided[start : start + 1_000] for start in range(0, len(divided), 1_000)]
    fragments = [frame(CONT if number else TEXT, p, fin=False) for number, p in enumerate(pieces)]
    fragments.append(frame(CONT))
    gate = Gate()

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.raw(frame(TEXT, whole))
        gate()
        peer.raw(b"".join(fragments))
        peer.until_gone()

    costs = []
    with RawServer(script) as raw, make_client(raw.url, None) as client:
        for seq in (1, 2):
            begin = time.process_time()
            assert client.get(20).data["seq"] == seq
            costs.append(time.process_time() - begin)
            gate.release()

    assert costs[1] < 20 * costs[0]


def test_a_flood_of_names_and_namespaces_is_forgotten(server: FakeEvolutionServer) -> None:
    """A server that invents names for ever does not fill the memory with them."""
    with make_client(server.url) as client:
        stream = client.subscribe("call")
        server.emit_raw([f'42/ns{n},["name{n}",{{"instance":"i{n}"}}]' for n in range(20_000)])
        server.emit("call", {"seq": 1})

        assert stream.get(20).data == {"seq": 1}
        session = client._core.connection.session
        assert session is not None
        assert len(session.reader._names) < 11_000
        assert client.namespaces.keys() == {"/", "/sales"}


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_survived(server: FakeEvolutionServer, seed: int) -> None:
    """Sound frames with random damage never silence a client for longer than a reconnect."""
    chance = random.Random(seed)
    sound = [
        event_text(0, namespace="/sales"),
        sales('["x",{}]'),
        *(str(message) for messages in HARMLESS.values() for message in messages),
    ]

    def damaged() -> str | bytes:
        text = list(chance.choice(sound))
        for _ in range(chance.randint(1, 4)):
            text[chance.randrange(len(text))] = chance.choice('0123456789-/,[]{}":ab\\ \x00é')
        return "".join(text) if chance.random() < 0.9 else "".join(text).encode()

    with make_client(server.url) as client:
        for _ in range(10):
            server.emit_raw([damaged() for _ in range(30)])
        for seq in range(1, 10_000):
            server.emit("messages.upsert", {"seq": seq, "sound": True}, store=False)
            got = [e for e in client.events(timeout=0.05) if _is_sound(e)]
            if got:
                break

        assert seqs(got)[-1] == seq


def _is_sound(event: Any) -> bool:
    return isinstance(event.data, dict) and event.data.get("sound") is True
