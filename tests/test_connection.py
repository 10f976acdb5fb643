"""Attempts to connect: how they end, when they end, and what is said of it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import attrs
import pytest

from evolution_ws import (
    AuthenticationError,
    Backoff,
    Client,
    ClientClosed,
    ConnectError,
    ConnectionLost,
    ConnectionState,
)
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import (
    PROMPT,
    assert_closes,
    black_hole,
    free_port,
    make_client,
    own_threads,
)
from tests.helpers import CEILING, in_thread, wait_until
from tests.raw_server import Peer, RawServer


# Where connecting does not come to an end


@attrs.frozen
class Place:
    """A server on which an attempt hangs, and whether it hangs there yet."""

    url: str
    is_reached: Callable[[Client], object]


@contextlib.contextmanager
def _raw(script: Callable[[Peer], object]) -> Iterator[Place]:
    reached = threading.Event()

    def run(peer: Peer) -> None:
        script(peer)
        reached.set()
        if script is _dripping_head:
            peer.drip(b"a")
        elif script is _dripping_open:
            peer.drip(b"0")
        peer.until_gone()

    with RawServer(run) as server:
        yield Place(server.url, lambda client: reached.is_set())


def _silent(peer: Peer) -> None:
    """Accept, and say nothing."""


def _silent_after_the_upgrade(peer: Peer) -> None:
    peer.upgrade()


def _silent_after_open(peer: Peer) -> None:
    peer.open()


def _dripping_head(peer: Peer) -> None:
    peer.head()
    peer.raw(b"HTTP/1.1 101 Switching Protocols\r\nX-Slow: ")


def _dripping_open(peer: Peer) -> None:
    peer.upgrade()
    peer.raw(b"\x81\x7e\x40\x00")


def _dials(client: Client) -> bool:
    session = client._core.connection._session
    return session is not None and session.dialer.sock is not None


@contextlib.contextmanager
def _black_hole() -> Iterator[Place]:
    with black_hole() as url:
        yield Place(url, _dials)


@contextlib.contextmanager
def _joins_unanswered() -> Iterator[Place]:
    with FakeEvolutionServer(instances=("sales",), join_delay=float("inf")) as server:
        yield Place(server.url, lambda client: server.clients)


@contextlib.contextmanager
def _frozen() -> Iterator[Place]:
    with FakeEvolutionServer(instances=("sales",)) as server:
        server.freeze()
        yield Place(server.url, _dials)


Places = Callable[[], AbstractContextManager[Place]]

PLACES = [
    pytest.param(_black_hole, id="black-hole"),
    pytest.param(lambda: _raw(_silent), id="silent"),
    pytest.param(lambda: _raw(_silent_after_the_upgrade), id="silent-after-upgrade"),
    pytest.param(lambda: _raw(_silent_after_open), id="silent-after-open"),
    pytest.param(lambda: _raw(_dripping_head), id="dripping-head"),
    pytest.param(lambda: _raw(_dripping_open), id="dripping-open"),
    pytest.param(_joins_unanswered, id="joins-unanswered"),
    pytest.param(_frozen, id="frozen"),
]


@pytest.mark.parametrize("make_place", PLACES)
def test_close_while_connecting(make_place: Places) -> None:
    """Closing cuts an attempt that hangs, and connect() in another thread ends at once."""
    with make_place() as place:
        client = make_client(place.url, connect_timeout=60)
        connecting = in_thread(client.connect)
        wait_until(lambda: place.is_reached(client))

        assert_closes(client)
        with pytest.raises(ClientClosed):
            connecting.result(PROMPT)


HANGS = {
    "silent": _silent,
    "silent-after-upgrade": _silent_after_the_upgrade,
    "silent-after-open": _silent_after_open,
}


@pytest.mark.parametrize("hang", HANGS.values(), ids=HANGS.keys())
def test_close_while_reconnecting(hang: Callable[[Peer], object]) -> None:
    """Closing cuts an attempt that hangs after a drop as well."""
    drop, hangs = threading.Event(), threading.Event()

    def fall(peer: Peer) -> None:
        peer.welcome()
        drop.wait(CEILING)

    def hold(peer: Peer) -> None:
        hang(peer)
        hangs.set()
        peer.until_gone()

    with RawServer(fall, hold) as server:
        client = make_client(server.url, None, connect_timeout=60).connect()
        drop.set()
        assert hangs.wait(CEILING)
        assert client.state is ConnectionState.CONNECTING

        assert_closes(client)
        assert own_threads() == []


@pytest.mark.parametrize("make_place", PLACES)
def test_connect_timeout_covers_the_whole_attempt(make_place: Places) -> None:
    """connect() raises after connect_timeout, however the server spends the time."""
    with make_place() as place:
        client = make_client(place.url, connect_timeout=0.5)
        begin = time.monotonic()
        with pytest.raises(ConnectError, match="did not answer in time"):
            client.connect()

        assert time.monotonic() - begin < PROMPT
        assert client.state is ConnectionState.FAILED
        assert_closes(client)


@pytest.mark.parametrize("make_place", PLACES[1:3])
def test_connect_with_a_timeout_gives_up_in_time(make_place: Places) -> None:
    """connect(timeout) ends after its own timeout where that is the shorter one."""
    with make_place() as place:
        client = make_client(place.url, connect_timeout=60)
        begin = time.monotonic()
        with pytest.raises(TimeoutError, match=r"within 0\.3 seconds"):
            client.connect(0.3)

        assert time.monotonic() - begin < PROMPT
        assert_closes(client)


# How attempts fail


def test_a_refused_key_fails_once_and_at_once() -> None:
    """A wrong key ends the client, wherever it is noticed, after one attempt."""
    with FakeEvolutionServer(instances=("sales",), api_key="right-key-0001") as server:
        client = make_client(server.url, api_key="wrong-key-0002")
        with pytest.raises(AuthenticationError, match="refused the api key") as caught:
            client.connect(30)

        assert "wrong-key-0002" not in str(caught.value)
        assert client.state is ConnectionState.FAILED
        with pytest.raises(AuthenticationError):
            next(client.events())
        with pytest.raises(AuthenticationError):
            client.get(10)
        with pytest.raises(AuthenticationError):
            client.run()
        assert_closes(client)


def test_nobody_listens() -> None:
    """connect() says at once that nobody listens; with a timeout it tries again until then."""
    client = make_client(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ConnectError, match="nobody listens"):
        client.connect()
    with pytest.raises(ConnectError, match="nobody listens"):
        client.connect(0.4)

    assert client.state is ConnectionState.FAILED
    assert client._core.connection.failures > 2


def test_attempts_are_limited_where_asked() -> None:
    """A loop ends with the reason when the attempts are used up."""
    client = make_client(
        f"http://127.0.0.1:{free_port()}", backoff=Backoff(initial=0.01, attempts=3)
    )
    with pytest.raises(ConnectError, match="nobody listens"):
        next(client.events())

    assert client._core.connection.failures == 3


def test_giving_up_after_a_drop_is_a_lost_connection(server: FakeEvolutionServer) -> None:
    """A consumer reads what arrived, then gets ConnectionLost when reconnecting was given up."""
    client = make_client(server.url, backoff=Backoff(initial=0.01, attempts=2)).connect()
    server.emit("messages.upsert", {"seq": 1})
    wait_until(lambda: client.stats.queue_events)
    server.stop()
    events = client.events()

    assert next(events).data["seq"] == 1
    with pytest.raises(ConnectionLost, match="gave up after"):
        next(events)


def test_a_client_that_failed_connects_again(server: FakeEvolutionServer) -> None:
    """After a failure the same client can be connected once the cause is gone."""
    client = make_client(server.url)
    server.stop()
    with pytest.raises(ConnectError):
        client.connect()
    server.start()
    with client:
        server.emit("messages.upsert", {"seq": 1})

        assert client.get(10).data["seq"] == 1


def test_a_client_that_gave_up_connects_and_reconnects_again(server: FakeEvolutionServer) -> None:
    """After all attempts were used up, the next start is as good as the first one."""
    client = make_client(server.url, backoff=Backoff(initial=0.01, attempts=2)).connect()
    server.stop()
    wait_until(lambda: client.state is ConnectionState.FAILED)
    server.start()
    with client:
        server.drop()
        wait_until(lambda: client.stats.reconnects == 2 and client.is_connected)
        server.wait_for_client("sales")
        server.emit("messages.upsert", {"seq": 1})

        assert client.get(10).data["seq"] == 1
