"""Receiving in loops, single events, subscriptions and waits."""

from __future__ import annotations

import itertools
import threading

import pytest

from evolution_ws import (
    ClientClosed,
    ConfigError,
    Event,
    Overflow,
    QueueOverflow,
)
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import assert_closes, make_client, seqs
from tests.helpers import in_thread, wait_until


def emit(server: FakeEvolutionServer, *numbers: int, type_: str = "messages.upsert") -> None:
    """Have the server emit numbered events."""
    for seq in numbers:
        server.emit(type_, {"seq": seq}, store=False)


# Loops


def test_events_come_in_order_and_typed(server: FakeEvolutionServer) -> None:
    """A loop yields every event, in the order of the wire, with its envelope's contents."""
    with make_client(server.url) as client:
        emit(server, *range(500))
        got = list(client.events(limit=500))

    assert seqs(got) == list(range(500))
    assert all(isinstance(event, Event) for event in got)
    assert {event.type for event in got} == {"messages.upsert"}
    assert {event.instance for event in got} == {"sales"}
    assert {event.namespace for event in got} == {"/sales"}


def test_events_connects_by_itself(server: FakeEvolutionServer) -> None:
    """A loop over a client that nobody connected connects it."""
    client = make_client(server.url)
    loop = in_thread(lambda: list(client.events(limit=1)))
    server.wait_for_client("sales")
    emit(server, 7)

    assert seqs(loop.result()) == [7]
    assert_closes(client)


def test_events_ends_after_silence(server: FakeEvolutionServer) -> None:
    """*timeout* ends the loop when nothing arrives for so long; 0 reads what waits."""
    with make_client(server.url) as client:
        emit(server, 1, 2, 3)
        wait_until(lambda: client.stats.queue_events == 3)

        assert seqs(list(client.events(timeout=0))) == [1, 2, 3]
        assert list(client.events(timeout=0.05)) == []


@pytest.mark.parametrize("spelling", ["messages.update", "MESSAGES_UPDATE", "messages-update"])
def test_events_of_one_kind(server: FakeEvolutionServer, spelling: str) -> None:
    """Names are understood in every spelling; what does not match is taken all the same."""
    with make_client(server.url) as client:
        emit(server, 1)
        emit(server, 2, type_="messages.update")
        emit(server, 3)

        assert seqs(list(client.events(spelling, timeout=0.5, limit=1))) == [2]
        assert client.get(10).data["seq"] == 3


def test_the_timeout_of_a_loop_counts_matching_events(server: FakeEvolutionServer) -> None:
    """Events that do not match do not keep a loop with a timeout alive."""
    with make_client(server.url) as client:
        stop = threading.Event()

        def chatter() -> None:
            for seq in itertools.count():
                if stop.wait(0.01):
                    return
                emit(server, seq)

        chattering = in_thread(chatter)
        loop = in_thread(lambda: list(client.events("call", timeout=0.2)))

        assert loop.result(5) == []
        stop.set()
        chattering.result()


def test_events_of_one_instance() -> None:
    """A loop can be limited to instances."""
    names = ("a", "b", "c")
    with FakeEvolutionServer(instances=names) as server, make_client(server.url, names) as client:
        for name in (*names, "a"):
            server.emit("messages.upsert", {}, instance=name)
        got = client.events(instance=["a", "c"], limit=3)

        assert [event.instance for event in got] == ["a", "c", "a"]


def test_iterate_after_close(server: FakeEvolutionServer) -> None:
    """What arrived before close() can be read after it; then loops end and get() says why."""
    client = make_client(server.url).connect()
    emit(server, 1, 2)
    wait_until(lambda: client.stats.queue_events == 2)
    client.close()

    assert client.get(0).data["seq"] == 1
    assert seqs(list(client.events())) == [2]
    assert list(client.events()) == []
    with pytest.raises(ClientClosed, match="all events are read"):
        client.get(0)


def test_get_waits_no_longer_than_told(server: FakeEvolutionServer) -> None:
    """get(timeout) raises TimeoutError; with 0 it only looks."""
    with make_client(server.url) as client:
        with pytest.raises(TimeoutError, match=r"no event within 0\.05 seconds"):
            client.get(0.05)
        with pytest.raises(TimeoutError):
            client.get(0)


def test_a_client_without_an_inbox(server: FakeEvolutionServer) -> None:
    """queue_size=0 leaves the inbox out; subscriptions work."""
    with make_client(server.url, queue_size=0) as client:
        with pytest.raises(ConfigError, match="has no inbox"):
            client.get(0)
        with pytest.raises(ConfigError, match="has no inbox"):
            client.events()
        stream = client.subscribe()
        emit(server, 1)

        assert stream.get(10).data["seq"] == 1


# Subscriptions


def test_two_subscriptions_each_see_everything(server: FakeEvolutionServer) -> None:
    """Each subscription and the inbox get every event."""
    with make_client(server.url) as client:
        streams = [client.subscribe(), client.subscribe("messages.upsert")]
        emit(server, 1, 2, 3)

        for events in (client.events, *(stream.events for stream in streams)):
            assert seqs(list(events(limit=3))) == [1, 2, 3]


def test_threads_share_one_subscription(server: FakeEvolutionServer) -> None:
    """Threads that iterate one subscription share its events; each takes them in order."""
    with make_client(server.url) as client:
        stream = client.subscribe()
        tasks = [in_thread(lambda: seqs(list(stream))) for _ in range(4)]
        emit(server, *range(1_000))
        wait_until(lambda: client.stats.delivered == 1_000)
        stream.close()
        shares = [task.result() for task in tasks]

    assert sorted(itertools.chain(*shares)) == list(range(1_000))
    assert all(share == sorted(share) for share in shares)


def test_a_closed_subscription_ends_and_costs_nothing(server: FakeEvolutionServer) -> None:
    """After close() a subscription gets nothing more; the client goes on."""
    with make_client(server.url) as client:
        with client.subscribe() as stream:
            emit(server, 1)
            wait_until(lambda: len(stream) == 1)
        emit(server, 2)
        assert seqs(list(client.events(limit=2))) == [1, 2]

        assert seqs(list(stream)) == [1]
        with pytest.raises(ClientClosed):
            stream.get()


def test_a_subscription_shows_what_it_is(server: FakeEvolutionServer) -> None:
    """A subscription has a length, is true when empty, and names its events."""
    client = make_client(server.url)

    assert repr(client.subscribe()) == "<Subscription to all events, 0 waiting>"
    assert repr(client.subscribe("CALL", "connect")) == "<Subscription to call, connect, 0 waiting>"
    assert client.subscribe()
    with pytest.raises(ConfigError, match="maxsize has to be at least 1"):
        client.subscribe(maxsize=0)
    with pytest.raises(ConfigError, match="has to be a str"):
        client.subscribe(5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("overflow", "kept"),
    [(Overflow.DROP_OLDEST, [7, 8, 9]), (Overflow.DROP_NEWEST, [0, 1, 2])],
    ids=["oldest", "newest"],
)
def test_a_full_subscription_drops(
    server: FakeEvolutionServer,
    caplog: pytest.LogCaptureFixture,
    overflow: Overflow,
    kept: list[int],
) -> None:
    """A slow consumer loses the oldest or the newest events, counted and logged once."""
    with make_client(server.url, queue_size=0) as client:
        stream = client.subscribe(maxsize=3, overflow=overflow)
        emit(server, *range(10))
        wait_until(lambda: client.stats.received == 10)

        assert seqs(list(stream.events(timeout=0))) == kept
        assert client.stats.dropped == 7
    assert sum("is full" in record.getMessage() for record in caplog.records) == 1


def test_a_full_subscription_raises(server: FakeEvolutionServer) -> None:
    """With RAISE the consumer reads up to the hole, and then hears of it."""
    with make_client(server.url, queue_size=0) as client:
        stream = client.subscribe(maxsize=3, overflow=Overflow.RAISE)
        emit(server, *range(10))
        wait_until(lambda: client.stats.received == 10)
        events = stream.events()

        assert [next(events).data["seq"] for _ in range(3)] == [0, 1, 2]
        with pytest.raises(QueueOverflow, match="7 events were dropped"):
            next(events)
        emit(server, 10)
        assert stream.get(10).data["seq"] == 10


def test_a_blocking_subscription_loses_nothing(server: FakeEvolutionServer) -> None:
    """With BLOCK a consumer that is slower than the server gets everything."""
    with make_client(server.url, queue_size=0) as client:
        stream = client.subscribe(maxsize=3, overflow=Overflow.BLOCK)
        emit(server, *range(200))

        assert seqs(list(stream.events(limit=200))) == list(range(200))
        assert client.stats.dropped == 0


# wait_for


def test_wait_for_takes_nothing_from_the_inbox(server: FakeEvolutionServer) -> None:
    """wait_for() returns the first match from now on; the inbox keeps everything."""
    with make_client(server.url) as client:
        waiting = in_thread(
            lambda: client.wait_for("messages.upsert", predicate=lambda e: e.data["seq"] == 2)
        )
        wait_until(lambda: len(client._core.hub._consumers) == 2)
        emit(server, 1, 2, 3)

        assert waiting.result().data["seq"] == 2
        assert seqs(list(client.events(limit=3))) == [1, 2, 3]


def test_wait_for_a_lifecycle_event(server: FakeEvolutionServer) -> None:
    """The connection's own events can be waited for by name."""
    client = make_client(server.url)
    waiting = in_thread(lambda: client.wait_for("connect", timeout=10))

    assert waiting.result().type == "connect"
    assert_closes(client)


def test_wait_for_gives_up_in_time(server: FakeEvolutionServer) -> None:
    """The timeout is that of the whole wait, whatever arrives meanwhile."""
    with make_client(server.url) as client:
        stop = threading.Event()

        def chatter() -> None:
            while not stop.wait(0.01):
                emit(server, 1)

        chattering = in_thread(chatter)
        waiting = in_thread(lambda: client.wait_for(predicate=lambda event: False, timeout=0.2))
        with pytest.raises(TimeoutError, match=r"no such event within 0\.2 seconds"):
            waiting.result(5)
        stop.set()
        chattering.result()


def test_the_star_and_the_connection_can_be_combined(server: FakeEvolutionServer) -> None:
    """All events and some of the connection's own go to one callback and one subscription."""
    client = make_client(server.url)
    types: list[str] = []
    client.on("*", "connect", callback=lambda event: types.append(event.type))

    with client.subscribe("*", "connect") as stream, client:
        server.emit("call", {"id": "C1"})
        got = [stream.get(timeout=10).type for _ in range(2)]
        wait_until(lambda: len(types) == 2)

    assert ["connect", "call"] == got
    assert ["connect", "call"] == types
