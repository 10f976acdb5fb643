"""A model of the client: whatever is called in whatever order, its promises hold."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from evolution_ws import (
    Backoff,
    Client,
    ClientClosed,
    ConnectionState,
    NamespaceState,
    NotConnectedError,
    Subscription,
)
from evolution_ws.testing import FakeEvolutionServer
from tests.faults.history_tools import message
from tests.faults.leaks import client_threads
from tests.faults.scale import short_times
from tests.helpers import wait_until


S = ConnectionState
PATIENCE = 15.0

EXAMPLES = int(os.environ.get("EVOLUTION_WS_TEST_EXAMPLES", "15"))
"""Random programs to run; a few hundred before a release."""


class ClientMachine(RuleBasedStateMachine):
    """
    One client against one server.

    The model knows which messages were stored since the first connect, which of them each
    stream has yet to see, and whether the client is new, in use or closed.
    """

    @initialize(connects=st.integers(0, 3))
    def begin(self, connects: int) -> None:
        """Have a server and a client, which mostly connects at once."""
        self.times = short_times()
        self.times.__enter__()
        self.server = FakeEvolutionServer(instances=("sales",), ping_interval=0.3, ping_timeout=0.6)
        self.server.start()
        self.client = Client(
            self.server.url,
            "sales",
            api_key="invented-key",
            backoff=Backoff(initial=0.02, maximum=0.1),
            connect_timeout=2.0,
        )
        self.used = self.closed = False
        self.number = 0
        self.inbox: list[str] = []
        """What the inbox owes."""
        self.streams: dict[Subscription, list[str]] = {}
        self.heard: list[str] = []
        self.callback_owed: list[str] = []
        self.has_callback = False
        if connects:
            self.connect()

    # Operations

    @precondition(lambda self: not self.closed)
    @rule()
    def connect(self) -> None:
        """connect() opens, or leaves an open connection alone."""
        assert self.client.connect(PATIENCE) is self.client
        self.used = True

    @precondition(lambda self: self.closed)
    @rule()
    def connect_after_close(self) -> None:
        """A closed client stays closed."""
        with pytest.raises(ClientClosed):
            self.client.connect()

    @precondition(lambda self: self.used and not self.closed)
    @rule(count=st.integers(1, 5), hears=st.booleans())
    def messages_happen(self, count: int, hears: bool) -> None:
        """Messages are stored; whether the client hears them at once is open."""
        if not hears:
            self.server.drop()
        for _ in range(count):
            self.number += 1
            key = f"M{self.number}"
            self.server.emit("messages.upsert", message(key))
            for owed in (self.inbox, *self.streams.values()):
                owed.append(key)
            if self.has_callback:
                self.callback_owed.append(key)

    @precondition(lambda self: self.inbox and self.used and not self.closed)
    @rule()
    def get(self) -> None:
        """get() returns one of the messages that the inbox owes, each of them once."""
        self.inbox.remove(self.client.get(PATIENCE).data["key"]["id"])

    @precondition(lambda self: self.inbox and self.used and not self.closed)
    @rule(limit=st.integers(1, 5))
    def events(self, limit: int) -> None:
        """events() does the same for several."""
        limit = min(limit, len(self.inbox))
        for event in self.client.events(timeout=PATIENCE, limit=limit):
            self.inbox.remove(event.data["key"]["id"])
            limit -= 1
        assert limit == 0

    @precondition(lambda self: not self.inbox and self.used and not self.closed)
    @rule()
    def get_nothing(self) -> None:
        """An inbox that owes nothing has nothing."""
        with pytest.raises(TimeoutError):
            self.client.get(0)

    @precondition(lambda self: self.caught_up() and len(self.streams) < 3 and not self.closed)
    @rule()
    def subscribe(self) -> None:
        """A new stream owes what happens from now on."""
        self.streams[self.client.subscribe("messages.upsert")] = []

    @precondition(lambda self: self.streams and not self.closed)
    @rule(data=st.data())
    def drain(self, data: st.DataObject) -> None:
        """Each stream has all of its messages, whatever the others do."""
        stream = data.draw(st.sampled_from(list(self.streams)))
        owed = self.streams[stream]
        for event in stream.events(timeout=PATIENCE, limit=len(owed)):
            owed.remove(event.data["key"]["id"])
        assert owed == []

    @precondition(lambda self: self.streams)
    @rule(data=st.data())
    def unsubscribe(self, data: st.DataObject) -> None:
        """A stream that is closed ends, once what has arrived is read."""
        stream = data.draw(st.sampled_from(list(self.streams)))
        owed = self.streams.pop(stream)
        stream.close()
        left = [event.data["key"]["id"] for event in stream]
        assert set(left) <= set(owed)

    @precondition(lambda self: self.caught_up() and not self.has_callback and not self.closed)
    @rule()
    def on(self) -> None:
        """A callback has what happens from now on."""
        self.client.on("messages.upsert", callback=self.hear)
        self.has_callback = True

    @precondition(lambda self: self.has_callback and not self.closed)
    @rule()
    def off(self) -> None:
        """It has had everything before it is removed, and has nothing afterwards."""
        self.expect_callbacks()
        assert self.client.off(self.hear)
        self.has_callback = False

    def hear(self, event: Any) -> None:
        """Note a message."""
        self.heard.append(event.data["key"]["id"])

    @precondition(lambda self: not self.closed)
    @rule()
    def emit(self) -> None:
        """emit() sends, or says that there is no connection; it never hangs."""
        begin = time.monotonic()
        try:
            self.client.emit("sendNode", {}, namespace="/")
        except NotConnectedError:
            pass
        assert time.monotonic() - begin < 5

    @precondition(lambda self: self.used and not self.closed)
    @rule()
    def emit_patiently(self) -> None:
        """With a timeout, emit() outlasts every fault of this model."""
        self.client.emit("sendNode", {}, timeout=PATIENCE)

    @rule(chance=st.integers(0, 7))
    def close(self, chance: int) -> None:
        """close() ends everything, any number of times."""
        if chance and not self.closed:  # most programs are to live longer than that
            return
        if not self.closed and self.has_callback:
            self.expect_callbacks()
        assert self.client.close(5)
        self.closed = True

    # Faults

    @precondition(lambda self: self.used)
    @rule(downtime=st.sampled_from((0.0, 0.1)))
    def restart(self, downtime: float) -> None:
        """The server is killed and comes back."""
        self.server.restart(downtime)

    @precondition(lambda self: self.used)
    @rule(close=st.booleans(), which=st.sampled_from((None, "sales", "/")))
    def kick(self, close: bool, which: str | None) -> None:
        """The server throws the client out."""
        self.server.kick(which, close=close)

    @precondition(lambda self: self.used)
    @rule(status=st.sampled_from((500, 503)))
    def rest_hiccup(self, status: int) -> None:
        """The history cannot be had twice."""
        self.server.rest_fails(status, times=2)

    # What always holds

    def caught_up(self) -> bool:
        """Return whether nothing is on its way, so that a new stream begins here."""
        return not self.used or (not self.inbox and not self.callback_owed)

    def expect_callbacks(self) -> None:
        """Demand that the callback has had each message once."""
        wait_until(lambda: set(self.callback_owed) <= set(self.heard), PATIENCE)
        assert sorted(self.heard) == sorted(set(self.heard))
        self.callback_owed.clear()

    @invariant()
    def state_is_legal(self) -> None:
        """The state is one of those that the calls so far can lead to, and threads fit it."""
        state = self.client.state
        if self.closed:
            assert state is S.CLOSED
            assert client_threads() == []
        elif self.used:
            assert state in (S.CONNECTING, S.OPEN, S.BACKOFF)
            # Supervisor, reader, writer, callbacks, backfill; a reader may be ending.
            assert len(client_threads()) <= 7
        assert set(self.client.namespaces) == {"/", "/sales"}
        assert all(isinstance(s, NamespaceState) for s in self.client.namespaces.values())

    @invariant()
    def counters_fit(self) -> None:
        """Nothing is dropped or malformed, and nothing was heard twice."""
        stats = self.client.stats
        assert (0, 0, 0) == (stats.dropped, stats.malformed, stats.callback_errors)
        assert len(self.heard) == len(set(self.heard))

    def teardown(self) -> None:
        """What is owed at the end is delivered, then everything ends."""
        if not hasattr(self, "client"):
            return
        try:
            if self.used and not self.closed:
                for event in self.client.events(timeout=PATIENCE, limit=len(self.inbox)):
                    self.inbox.remove(event.data["key"]["id"])
                assert self.inbox == []
        finally:
            self.client.close(5)
            self.server.stop()
            self.times.__exit__(None, None, None)
        assert client_threads() == []


def test_the_model() -> None:
    """Random programs of twenty steps find no broken promise."""
    run_state_machine_as_test(
        ClientMachine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
