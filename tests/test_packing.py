"""Events come back from the disk exactly as they were put there, the api key left out."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest

from evolution_ws import Event, _packing
from evolution_ws._packing import pack, unpack
from evolution_ws.testing import build
from tests.samples import NAMES, load_event


def _nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


PAYLOADS: dict[str, Any] = {
    "text": {"text": "olá \u2028 \U0001f600"},
    "bytes": {"picture": b"\x00\xff", "list": [b"", b"a"]},
    "marks": {"$bytes": "not ours", "encoded": [1]},
    "none": None,
    "list": [1, 2.5, -0.0, True, None, "x"],
    "nan": [math.inf, -math.inf],
    "huge": [2**63, -(2**70), 123456789012345678901234567890],
    "surrogate": {"half": "\ud83d", "\udc00": 1},
    "deep": _nested(90),
    "deeper than any stack": _nested(5_000),
    "tuple": (1, (2, 3)),
    "keys": {1: "a", None: "b"},
}


@pytest.fixture(params=["orjson", "standard library"])
def codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with the fast codec and without it."""
    if request.param != "orjson":
        monkeypatch.setattr(_packing, "orjson", None)
    return str(request.param)


@pytest.mark.parametrize("name", PAYLOADS)
def test_an_event_is_restored_exactly(codec: str, name: str) -> None:
    """Whatever its payload holds, the restored event equals it, types included."""
    event = Event("messages.upsert", "sales", PAYLOADS[name], sender="s", extra={"isLatest": True})

    restored = unpack(pack(event))

    assert restored == event
    if name != "deeper than any stack":
        assert repr(restored.data) == repr(event.data)
    assert type(restored) is type(event)


def test_nan_is_restored(codec: str) -> None:
    """NaN is no JSON and equals nothing, and comes back all the same."""
    restored = unpack(pack(Event("call", "sales", [math.nan])))

    assert math.isnan(restored.data[0])


@pytest.mark.parametrize("name", NAMES)
def test_recorded_events_are_restored(codec: str, name: str) -> None:
    """Payloads of real servers come back as they were."""
    event = load_event(name)

    assert unpack(pack(event)) == event


def test_flags_and_time_are_restored() -> None:
    """When it came, where, and that it was replayed; that it comes again is said by the reader."""
    event = Event("call", "a", {}, namespace="/a", replayed=True, received_at=1767323045.123456)

    restored = unpack(pack(event), redelivered=True)

    assert restored == event.replace(redelivered=True)


def test_a_date_is_not_taken_for_a_text() -> None:
    """What has no JSON form is not replaced by something that looks like it."""
    day = datetime.date(2026, 1, 2)

    assert unpack(pack(Event("call", "a", {"day": day}))).data == {"day": None}


def test_the_api_key_stays_out() -> None:
    """The key of an instance is never written."""
    event = build.event("call", {"id": "1"}, instance="sales").replace(api_key="s3cret-token")

    packed = pack(event)

    assert b"s3cret-token" not in packed
    assert unpack(packed).api_key is None


@pytest.mark.parametrize(
    "packed",
    [b"", b"null", b"[]", b"[1,2,3,4,5]", b'{"encoded":null}', b"{}", b"\xff", b'["a","b"]'],
    ids=repr,
)
def test_other_bytes_are_refused(packed: bytes) -> None:
    """Damage is noticed."""
    with pytest.raises(ValueError, match=r"."):
        unpack(packed)
