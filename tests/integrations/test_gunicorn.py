"""The hooks for gunicorn, in this process; test_django_project runs them in the real thing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from evolution_ws import ConnectionState
from evolution_ws.integrations._shared import Shared, web_client
from evolution_ws.integrations._wish import Wish
from evolution_ws.integrations.gunicorn import post_worker_init, worker_exit
from evolution_ws.testing import FakeEvolutionServer
from tests.integrations.web_tools import next_state, parse_frames


NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


@pytest.fixture
def following() -> Iterator[list[int]]:
    """Handle the signals as a worker does, and return what came."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    came: list[int] = []
    for number in NUMBERS:
        signal.signal(number, lambda received, frame: came.append(received))
    yield came
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signal_ends_streams_before_the_worker_stops(
    server: FakeEvolutionServer, following: list[int]
) -> None:
    """Streams end, the worker's own handler runs, and the exit closes the client."""
    shared = Shared(lambda: web_client(server.url, "sales", None, {}))
    frames = parse_frames(shared.broadcaster().stream(Wish()))
    next_state(frames, "open")
    client = shared.client()
    post_worker_init(None)

    os.kill(os.getpid(), signal.SIGTERM)
    rest = [frame for frame in frames if frame.event == "message"]
    worker_exit(None, None)

    assert following == [signal.SIGTERM]
    assert rest == []
    assert client.state is ConnectionState.CLOSED


def test_signal_without_a_handler_of_its_own(following: list[int]) -> None:
    """Where a signal was ignored, it only ends the streams."""
    signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    post_worker_init(None)

    os.kill(os.getpid(), signal.SIGQUIT)

    assert following == []
