"""
Guards against a slow event path: ratios to other clients in the same run.

The limits are far from what is reached, and a slow machine slows everybody down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.benchmarks.consuming import Burst, consume
from tests.benchmarks.measure import Bench
from tests.node_server import NodeServer, require_node


TRIES = 3
TEXT = Burst("guard-text", 2000, 150)
MEDIA = Burst("guard-media", 60, 4, kind="media", size=200_000, warmup=5)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Give a server with both bursts ready."""
    pytest.importorskip("orjson")
    require_node()
    with NodeServer() as server:
        bench = Bench(server)
        TEXT.prepare(bench)
        MEDIA.prepare(bench)
        yield bench


def least(ratio: Callable[[], float], enough: float) -> float:
    """Return the least of up to three ratios; one that is low enough ends the search."""
    lowest = ratio()
    for _ in range(TRIES - 1):
        if lowest <= enough:
            break
        lowest = min(lowest, ratio())
    return lowest


@pytest.mark.parametrize(
    ("burst", "other", "limit"),
    [
        pytest.param(TEXT, "raw", 1 / 10, id="text-raw"),
        pytest.param(TEXT, "bare", 3.0, id="text-bare"),
        pytest.param(MEDIA, "raw", 1 / 50, id="media-raw"),
        pytest.param(MEDIA, "bare", 2.0, id="media-bare"),
    ],
)
def test_event_costs_little_beside(bench: Bench, burst: Burst, other: str, limit: float) -> None:
    """An event costs a small part of raw socketio's, and about what a bare websocket costs."""

    def ratio() -> float:
        ours, theirs = (consume(burst, bench, peer=peer)["cpu"] for peer in ("loop", other))
        return ours / theirs

    assert least(ratio, limit) <= limit


def test_busy_process_does_not_starve_the_client(bench: Bench) -> None:
    """Beside a CPU-bound thread, events flow at least twenty times as fast as with raw socketio."""

    def ratio() -> float:
        ours, raw = (
            consume(TEXT, bench, peer=peer, hogs=1, idle=30.0)["rate"] for peer in ("loop", "raw")
        )
        return raw / ours

    assert least(ratio, 1 / 20) <= 1 / 20


def test_nothing_is_lost_on_the_way(bench: Bench) -> None:
    """The burst arrives whole and in order."""
    sample = consume(TEXT, bench, peer="loop")

    assert (sample["lost"], sample["disordered"]) == (0, 0)
