"""The client that the requests of a process share."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator

import pytest

from evolution_ws import ConfigError, ConnectionState
from evolution_ws.integrations._shared import (
    Shared,
    WebClient,
    _after_fork,
    close_all,
    refuse_all_streams,
    web_client,
)
from evolution_ws.integrations._wish import Wish
from evolution_ws.testing import FakeEvolutionServer
from tests.helpers import in_thread
from tests.integrations.web_tools import next_state, parse_frames


@pytest.fixture
def shared(server: FakeEvolutionServer) -> Iterator[Shared]:
    """Return the client of a server, to be shared."""
    made = Shared(lambda: web_client(server.url, "sales", None, {}))
    yield made
    made.close()


def test_client_is_made_once(shared: Shared) -> None:
    """All threads get the same one."""
    tasks = [in_thread(shared.client) for _ in range(8)]

    assert len({id(task.result()) for task in tasks}) == 1


def test_nothing_connects_before_it_is_used(shared: Shared, server: FakeEvolutionServer) -> None:
    """Asking for the client and the broadcaster costs no connection."""
    client = shared.client()
    shared.broadcaster()

    assert client.state is ConnectionState.NEW
    assert server.clients == []


def test_emit_connects(shared: Shared, server: FakeEvolutionServer) -> None:
    """The first emit opens the connection and waits for it."""
    shared.client().emit("sendNode", {"stanza": 1}, namespace="/")
    emitted = server.wait_for_emit()

    assert [("/", "sendNode", [{"stanza": 1}])] == emitted


def test_emit_waits_no_longer_than_told(server: FakeEvolutionServer) -> None:
    """The time limit comes from the options, or from the call."""
    client = web_client(server.url, "sales", None, {"connect_timeout": 2.5})

    assert client.emit_timeout == 2.5
    assert web_client(server.url, "sales", None, {}).emit_timeout == WebClient.emit_timeout


def test_web_client_has_no_inbox(server: FakeEvolutionServer) -> None:
    """What nobody reads is not kept, whatever the options say."""
    client = web_client(server.url, "sales", None, {"queue_size": 50})

    with pytest.raises(ConfigError):
        client.get(timeout=0)


def test_broadcaster_is_made_once(shared: Shared) -> None:
    """All streams of a process share one."""
    assert shared.broadcaster() is shared.broadcaster()


def test_close_lets_the_next_one_begin_anew(shared: Shared, server: FakeEvolutionServer) -> None:
    """After close() a new client is made when one is asked for."""
    first = shared.client().connect()
    shared.broadcaster()
    shared.close()
    shared.close()
    second = shared.client()

    assert first.state is ConnectionState.CLOSED
    assert second is not first


def test_all_streams_of_a_process_end_together(shared: Shared, server: FakeEvolutionServer) -> None:
    """One call ends the streams, another one closes the clients."""
    idle = Shared(shared.client)  # has no streams
    frames = parse_frames(shared.broadcaster().stream(Wish()))
    next_state(frames, "open")
    client = shared.client()
    refuse_all_streams()
    rest = [frame.event for frame in frames]
    close_all()

    assert "message" not in rest
    assert client.state is ConnectionState.CLOSED
    assert idle is not None


def test_child_of_a_fork_forgets_the_parents_client(
    shared: Shared, server: FakeEvolutionServer
) -> None:
    """What runs in the child makes room for a client of its own."""
    first, broadcaster = shared.client(), shared.broadcaster()
    _after_fork()

    assert shared.client() is not first
    assert shared.broadcaster() is not broadcaster


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_child_makes_its_own(shared: Shared, server: FakeEvolutionServer) -> None:
    """The child has a client and streams of its own, the parent keeps its connection."""
    shared.client().connect()
    frames = parse_frames(shared.broadcaster().stream(Wish()))
    next_state(frames, "open")
    process = multiprocessing.get_context("fork").Process(target=_child, args=(shared,))
    process.start()
    emitted = server.wait_for_emit()
    process.join(10)

    assert process.exitcode == 0
    assert [("/sales", "from", ["child"])] == emitted
    assert shared.client().is_connected


def _child(shared: Shared) -> None:
    shared.client().emit("from", "child")
    next_state(parse_frames(shared.broadcaster().stream(Wish())), "open")
    shared.close()
    os._exit(0)
