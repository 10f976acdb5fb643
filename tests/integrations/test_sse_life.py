"""How streams, and the thread that feeds them, begin and end."""

from __future__ import annotations

import threading

import pytest

from evolution_ws import Client
from evolution_ws.integrations._sse import Broadcaster
from evolution_ws.integrations._wish import Wish
from evolution_ws.testing import FakeEvolutionServer
from tests.helpers import in_thread, wait_until
from tests.integrations.sse_tools import Make, opened, send, text_of
from tests.integrations.web_tools import Frame, next_event, next_state, parse_frames


def test_refused_key_ends_the_stream_with_a_longer_pause(server: FakeEvolutionServer) -> None:
    """The browser hears of the failure, and comes back later rather than at once."""
    server.api_key = "right"
    client = Client(server.url, "sales", api_key="wrong", queue_size=0)
    broadcaster = Broadcaster(lambda: client)
    try:
        frames = list(parse_frames(broadcaster.stream(Wish())))
    finally:
        broadcaster.close()
        client.close()

    assert frames[-1] == Frame(event="state", data={"state": "failed"}, retry=15_000)


def test_stream_goes_on_after_a_failure_was_repaired(server: FakeEvolutionServer) -> None:
    """The browser that comes back starts a new attempt."""
    server.api_key = "other"
    client = Client(server.url, "sales", api_key="right", queue_size=0)
    broadcaster = Broadcaster(lambda: client)
    first = list(parse_frames(broadcaster.stream(Wish())))
    server.api_key = "right"
    second = parse_frames(broadcaster.stream(Wish()))
    try:
        state = next_state(second, "open")
    finally:
        broadcaster.close()
        client.close()

    assert first[-1].data == {"state": "failed"}
    assert state.data == {"state": "open"}


@pytest.mark.parametrize(
    "fault", [RuntimeError("no client"), ValueError("nor this")], ids=["runtime", "value"]
)
def test_stream_ends_when_there_is_no_client(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected error is logged, and the streams end instead of hanging."""

    def fail() -> Client:
        raise fault

    frames = list(parse_frames(Broadcaster(fail).stream(Wish())))

    assert frames[-1].data == {"state": "failed"}
    assert "event streams end" in caplog.text


def test_closed_client_ends_the_streams(make: Make, server: FakeEvolutionServer) -> None:
    """Closing the client elsewhere ends what depends on it."""
    client = Client(server.url, "sales", queue_size=0)
    broadcaster = Broadcaster(lambda: client)
    frames = opened(broadcaster)
    client.close()

    assert list(frames)[-1].data == {"state": "closed"}


def test_lifetime_ends_the_stream(make: Make, server: FakeEvolutionServer) -> None:
    """A stream with a lifetime ends by itself, busy or not."""
    frames = list(parse_frames(make().stream(Wish(lifetime=0.2, heartbeat=60))))

    assert frames[0] == Frame(retry=1000)


def test_end_streams_ends_all_and_lets_new_ones_in(make: Make, server: FakeEvolutionServer) -> None:
    """Streams that wait end at once; the browser's next one works."""
    broadcaster = make()
    frames = opened(broadcaster)
    waiting = in_thread(lambda: list(frames))
    broadcaster.end_streams()
    ended = waiting.result()
    again = opened(broadcaster)
    send(server, "a")

    assert ended == []
    assert text_of(next_event(again)) == "a"


def test_refuse_ends_streams_to_come(make: Make) -> None:
    """A process that ends answers a new stream with an invitation to come back."""
    broadcaster = make()
    broadcaster.refuse()
    frames = list(parse_frames(broadcaster.stream(Wish())))

    assert frames[0].retry == 1000
    assert {"message", "state"} == {frame.event for frame in frames}


def test_subscription_rests_when_nobody_looks(make: Make, server: FakeEvolutionServer) -> None:
    """The thread ends after the last stream, and the next stream starts it again."""
    broadcaster = make(linger=0.0)
    raw = broadcaster.stream(Wish())
    frames = parse_frames(raw)
    next_state(frames, "open")
    send(server, "a")
    last = next_event(frames)
    raw.close()  # type: ignore[attr-defined]
    wait_until(lambda: "evolution-ws-stream" not in [t.name for t in threading.enumerate()])
    again = parse_frames(broadcaster.stream(Wish(last_id=last.id)))
    beginning = [next(again), next(again)]
    next_state(again, "open")
    send(server, "b")

    assert [beginning[0].data, beginning[1].event] == [None, "gap"]
    assert text_of(next_event(again)) == "b"


def test_abandoned_stream_is_forgotten(make: Make) -> None:
    """A browser that leaves takes its place in the list with it."""
    broadcaster = make()
    raw = broadcaster.stream(Wish())
    next(raw)
    before = broadcaster.viewers
    raw.close()  # type: ignore[attr-defined]

    assert (before, broadcaster.viewers) == (1, 0)


def test_stream_that_nobody_reads_starts_nothing(make: Make, server: FakeEvolutionServer) -> None:
    """A response that is never sent costs neither thread nor connection."""
    broadcaster = make()
    broadcaster.stream(Wish())

    assert broadcaster.viewers == 0
    assert server.clients == []


def test_close_ends_streams_and_thread_and_is_harmless_twice(make: Make) -> None:
    """Closing ends what is open, whatever it waits for; a second time it does nothing."""
    broadcaster = make()
    frames = opened(broadcaster)
    broadcaster.close()
    broadcaster.close()

    assert [frame.data for frame in frames] == [{"state": "closed"}]
