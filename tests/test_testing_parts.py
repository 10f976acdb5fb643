"""The pure parts of the embedded server: packets, clock, timers."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest

from evolution_ws.testing import FakeEvolutionServer
from evolution_ws.testing._envelope import local_time
from evolution_ws.testing._loop import Loop
from evolution_ws.testing._packets import BadPacket, Kind, Packet, attach, decode, encode
from evolution_ws.testing.plugin import evolution_server_factory  # noqa: F401 - fixture
from tests.fake_server_tools import CEILING


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Return a started server with the instance sales."""
    with FakeEvolutionServer(instances="sales") as server:
        yield server


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        ((Kind.DISCONNECT, "/"), ["1"]),
        ((Kind.EVENT, "/a", ["x", 1]), ['2/a,["x",1]']),
        ((Kind.EVENT, "/", ["x", b"1", [bytearray(b"2")]]), [
            '52-["x",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]]', b"1", b"2",
        ]),
        ((Kind.ACK, "/a", [b"1"], 7), ['61-/a,7[{"_placeholder":true,"num":0}]', b"1"]),
    ],
    ids=["empty", "text", "binary", "ack"],
)  # fmt: skip
def test_encode_writes_what_javascript_writes(
    arguments: tuple[Kind, str], messages: list[str | bytes]
) -> None:
    """Each kind of packet has its grammar."""
    assert messages == encode(*arguments)


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("0", Packet(Kind.CONNECT, "/")),
        ("0/a", Packet(Kind.CONNECT, "/a")),
        ('0/a,{"t":1}', Packet(Kind.CONNECT, "/a", {"t": 1})),
        ('2/a,12["x"]', Packet(Kind.EVENT, "/a", ["x"], 12)),
        ("2[5]", Packet(Kind.EVENT, "/", [5])),
        ('4/a,"no"', Packet(Kind.CONNECT_ERROR, "/a", "no")),
    ],
    ids=["root", "open", "auth", "id", "number", "error"],
)
def test_decode_reads_the_grammar(text: str, packet: Packet) -> None:
    """Namespace, id and payload are told apart."""
    assert packet == decode(text)


def test_attach_refuses_a_missing_attachment() -> None:
    """A placeholder without its attachment is a bad packet."""
    packet = Packet(Kind.BINARY_EVENT, "/", ["x", {"_placeholder": True, "num": 3}])

    with pytest.raises(BadPacket, match="illegal"):
        attach(packet, [b"only one"])


@pytest.mark.parametrize("offset", [None, -10800.0], ids=["machine", "brasilia"])
def test_local_time_has_the_wrong_letter(offset: float | None) -> None:
    """Events carry the server's wall clock with a Z behind it."""
    text = local_time(offset)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    clock = time.localtime() if offset is None else time.gmtime(time.time() + offset)
    assert abs(clock.tm_hour - int(text[11:13])) in (0, 1, 23)


def test_timers_run_in_time_order_and_may_be_cancelled() -> None:
    """A later timer does not hold an earlier one up; a cancelled one does not run."""
    changed = threading.Condition()
    seen: list[int] = []
    loop = Loop(changed)

    def note(number: int) -> None:
        seen.append(number)
        changed.notify_all()

    with changed:
        loop.call_later(0.05, lambda: note(2))
        loop.call_later(0.01, lambda: note(1))
        loop.call_later(0.02, lambda: note(9)).cancel()
        loop.start()
        assert changed.wait_for(lambda: len(seen) == 2, CEILING)
    loop.stop(CEILING)

    assert seen == [1, 2]
