"""What a request for a stream asks for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evolution_ws.integrations import _wish
from evolution_ws.integrations._ring import Ring
from evolution_ws.integrations._wish import last_event_id, lifetime, wish
from evolution_ws.testing import build


@pytest.fixture(autouse=True)
def _not_warned_yet() -> Iterator[None]:
    """Let each test see the warning that a process writes once."""
    _wish._warned.clear()
    yield
    _wish._warned.clear()


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ((), None),
        (("*",), None),
        (("MESSAGES_UPSERT", "call"), {"messages.upsert", "call"}),
    ],
    ids=["none", "star", "spellings"],
)
def test_wish_reads_names_in_any_spelling(
    types: tuple[str, ...], expected: set[str] | None
) -> None:
    """Names become those of the wire; none means all."""
    assert wish(types, None, None).types == expected


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        (None, None),
        ("*", None),
        ("sales", {"sales"}),
        (["sales", "support"], {"sales", "support"}),
    ],
    ids=["none", "star", "one", "several"],
)
def test_wish_reads_instances(instance: str | list[str] | None, expected: set[str] | None) -> None:
    """One name, several or all."""
    assert wish((), instance, None).instances == expected


def test_wish_warns_of_unknown_names(caplog: pytest.LogCaptureFixture) -> None:
    """A typing error is told with the nearest name."""
    wish(["mesages.upsert", "zzz"], None, None)

    assert "did you mean messages.upsert?" in caplog.text
    assert "emits 'zzz'" in caplog.text


def test_wish_accepts_by_type_and_instance() -> None:
    """Both have to fit."""
    ring = Ring(10, 1_000_000)
    ring.append(build.text("Oi", instance="sales"))
    item = ring.after(0)
    assert item is not None

    assert wish((), None, None).accepts(item)
    assert wish(["messages.upsert"], "sales", None).accepts(item)
    assert not wish(["call"], "sales", None).accepts(item)
    assert not wish(["messages.upsert"], "support", None).accepts(item)


def test_last_event_id_prefers_the_header() -> None:
    """A reconnecting browser knows better than the URL it once opened."""
    assert last_event_id("a", "b") == "a"
    assert last_event_id(None, "b") == "b"
    assert last_event_id("", None) is None


@pytest.mark.parametrize(
    ("threads", "wanted", "expected"),
    [(True, None, None), (True, 60.0, 60.0), (False, None, 5.0), (False, 2.0, 2.0)],
    ids=["threads", "threads-limited", "single", "single-shorter"],
)
def test_lifetime_is_short_where_a_stream_blocks_the_process(
    threads: bool, wanted: float | None, expected: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A server with one thread per process gets short streams, and one warning."""
    environ = {"wsgi.multithread": threads}

    assert lifetime(environ, wanted) == expected
    lifetime(environ, wanted)
    assert len(caplog.records) == (0 if threads else 1)
