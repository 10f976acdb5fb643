"""The broadcaster: one subscription, however many streams."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from evolution_ws import Client, ClientConfig
from evolution_ws.integrations._sse import Broadcaster
from evolution_ws.integrations._wish import Wish
from evolution_ws.testing import FakeEvolutionServer, build
from tests.integrations.sse_tools import Make, opened, send, text_of
from tests.integrations.web_tools import Frame, next_event, next_state, parse_frames


def test_stream_tells_state_and_events(make: Make, server: FakeEvolutionServer) -> None:
    """A stream begins with the pause for coming back and the state, then events follow."""
    frames = parse_frames(make().stream(Wish()))
    retry, state = next(frames), next(frames)
    next_state(frames, "open")
    send(server, "Oi")
    event = next_event(frames)

    assert retry == Frame(retry=1000)
    assert state.event == "state"
    assert event.id == "sales:messages.upsert:ID-Oi"
    assert event.data["type"] == "messages.upsert"
    assert "apikey" not in event.data


def test_streams_share_one_connection(make: Make, server: FakeEvolutionServer) -> None:
    """Several streams see every event over one connection and one thread."""
    broadcaster = make()
    streams = [opened(broadcaster) for _ in range(5)]
    send(server, "a", "b")
    seen = [[text_of(next_event(stream)) for _ in range(2)] for stream in streams]
    threads = [t.name for t in threading.enumerate() if t.name == "evolution-ws-stream"]

    assert seen == [["a", "b"]] * 5
    assert len(server.clients) == 1
    assert threads == ["evolution-ws-stream"]
    assert broadcaster.viewers == 5


def test_stream_selects_types_and_instances(make: Make, server: FakeEvolutionServer) -> None:
    """Only what was asked for arrives."""
    broadcaster = make()
    calls = opened(broadcaster, types=frozenset({"call"}))
    messages = opened(broadcaster, types=frozenset({"messages.upsert"}))
    elsewhere = opened(broadcaster, instances=frozenset({"support"}), heartbeat=0.05)
    send(server, "a")
    server.emit(build.call(instance="sales"))

    assert next_event(calls).data["type"] == "call"
    assert text_of(next_event(messages)) == "a"
    assert next(elsewhere).is_comment


def test_what_nobody_wants_is_not_remembered(make: Make, server: FakeEvolutionServer) -> None:
    """A flood of other events does not push the wanted ones out of the memory."""
    broadcaster = make(memory=2)
    wanted = {"types": frozenset({"messages.upsert"})}
    frames = opened(broadcaster, **wanted)
    send(server, "a", "b")
    first = next_event(frames)
    for _ in range(20):
        server.emit(build.presence(instance="sales"))
    send(server, "c")
    while text_of(next_event(frames)) != "c":
        pass
    again = opened(broadcaster, last_id="sales:messages.upsert:ID-b", **wanted)

    assert text_of(first) == "a"
    assert text_of(next_event(again)) == "c"


def test_stream_resumes_after_the_last_event(make: Make, server: FakeEvolutionServer) -> None:
    """Last-Event-ID brings what was missed, once and in order, then what is new."""
    broadcaster = make()
    frames = opened(broadcaster)
    send(server, "a", "b", "c")
    first = next_event(frames)
    third = [next_event(frames) for _ in range(2)][-1]
    again = parse_frames(broadcaster.stream(Wish(last_id=first.id)))
    missed = [text_of(next_event(again)) for _ in range(2)]
    send(server, "d")

    assert text_of(third) == "c"
    assert missed == ["b", "c"]
    assert text_of(next_event(again)) == "d"


def test_unknown_last_event_is_a_gap(make: Make, server: FakeEvolutionServer) -> None:
    """A browser that was away for too long is told so, and gets the new events."""
    broadcaster = make()
    frames = parse_frames(broadcaster.stream(Wish(last_id="sales:messages.upsert:OLD")))
    beginning = [next(frames), next(frames)]
    next_state(frames, "open")
    send(server, "a")

    assert [frame.event for frame in beginning] == ["message", "gap"]
    assert text_of(next_event(frames)) == "a"


def test_slow_browser_is_dropped_and_nobody_waits(make: Make, server: FakeEvolutionServer) -> None:
    """A stream that is not read ends once the memory has moved on; the others see everything."""
    broadcaster = make(memory=10)
    slow, fast = opened(broadcaster), opened(broadcaster)
    send(server, "first")
    next_event(slow)
    next_event(fast)
    seen = []
    for number in range(50):
        send(server, str(number))
        seen.append(text_of(next_event(fast)))
    rest = list(slow)

    assert [str(number) for number in range(50)] == seen
    assert rest == []
    assert broadcaster.overtaken == 1
    assert broadcaster.viewers == 1


def test_stream_shows_a_lost_connection(make: Make, server: FakeEvolutionServer) -> None:
    """The state of the upstream connection reaches the browser, there and back."""
    frames = opened(make())
    server.stop()
    next_state(frames, "backoff")
    server.start()

    assert next_state(frames, "open").data == {"state": "open"}


def test_silence_is_broken_by_a_heartbeat(make: Make) -> None:
    """A comment is sent when nothing happens, so that proxies keep the connection."""
    frames = opened(make(), heartbeat=0.05)

    assert [next(frames).is_comment for _ in range(2)] == [True, True]


def test_serialize_shapes_what_is_sent(
    make: Make, server: FakeEvolutionServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It may reduce an event or leave it out; when it fails, one event is missing."""

    def shape(event: Any) -> Any:
        if event.message.text == "bad":
            raise KeyError("no such thing")
        return None if event.message.text == "secret" else {"text": event.message.text}

    frames = opened(make(), serialize=shape)
    send(server, "secret", "bad", "olá")

    assert next_event(frames).data == {"text": "olá"}
    assert "serialize failed for messages.upsert" in caplog.text


def test_nothing_secret_is_logged(
    make: Make, server: FakeEvolutionServer, caplog: pytest.LogCaptureFixture
) -> None:
    """No text and no number reaches the log, at any level."""
    caplog.set_level(logging.DEBUG)
    frames = opened(make())
    send(server, "segredo", sender="5511900000009")
    next_event(frames)

    assert "segredo" not in caplog.text
    assert "5511900000009" not in caplog.text


def test_config_of_the_broadcaster_is_the_clients(server: FakeEvolutionServer) -> None:
    """A client without an inbox can be streamed from: the subscription has its own size."""
    config = ClientConfig(queue_size=0)
    with Client(server.url, "sales", config=config) as client:
        broadcaster = Broadcaster(lambda: client)
        frames = opened(broadcaster)
        send(server, *map(str, range(30)))
        seen = [text_of(next_event(frames)) for _ in range(30)]
        broadcaster.close()

    assert [str(number) for number in range(30)] == seen
