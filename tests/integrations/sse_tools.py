"""Broadcasters for tests, and their streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from evolution_ws import Client
from evolution_ws.integrations._sse import Broadcaster
from evolution_ws.integrations._wish import Wish
from evolution_ws.testing import FakeEvolutionServer, build
from tests.integrations.web_tools import Frame, next_state, parse_frames


Make = Callable[..., Broadcaster]


@pytest.fixture
def make(server: FakeEvolutionServer) -> Iterator[Make]:
    """Return a function that makes broadcasters over one client, all closed afterwards."""
    client = Client(server.url, "sales", queue_size=0, backfill=False)
    made: list[Broadcaster] = []

    def make_one(**options: Any) -> Broadcaster:
        broadcaster = Broadcaster(lambda: client, **options)
        made.append(broadcaster)
        return broadcaster

    yield make_one
    for broadcaster in made:
        broadcaster.close()
    client.close()


def opened(broadcaster: Broadcaster, **wanted: Any) -> Iterator[Frame]:
    """Return the frames of a stream whose connection is open."""
    frames = parse_frames(broadcaster.stream(Wish(**wanted)))
    next_state(frames, "open")
    return frames


def text_of(frame: Frame) -> Any:
    """Return the text of a message event that was sent whole."""
    return frame.data["data"]["message"]["conversation"]


def send(server: FakeEvolutionServer, *texts: str, **options: Any) -> None:
    """Let the server emit text messages."""
    for text in texts:
        server.emit(build.text(text, instance="sales", id=f"ID-{text}", **options))
