"""The client as a whole: making, connecting, closing, asking how it stands."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from evolution_ws import (
    AuthenticationError,
    Backoff,
    Client,
    ClientClosed,
    ClientConfig,
    ConfigError,
    ConnectError,
    ConnectionState,
    EvolutionError,
    LifecycleEvent,
    NamespaceState,
    Overflow,
    WebsocketDisabledError,
)
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import assert_closes, free_port, make_client, own_threads
from tests.helpers import in_thread, wait_until


KEY = "key-of-the-tests-0001"


# Making one


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"colour": "red"}, "unknown option colour; there are auto_ack", id="unknown"),
        pytest.param({"queue_size": -1}, "queue_size must not be negative", id="queue"),
        pytest.param({"overflow": "explode"}, "overflow has to be one of", id="overflow"),
        pytest.param({"api_key": 5}, "the api key has to be a str", id="key-type"),
        pytest.param({"api_key": "a\nb"}, "no HTTP header can carry", id="key-characters"),
        pytest.param({"instance": "a,b"}, "cannot be listened to", id="instance"),
    ],
)
def test_a_client_that_cannot_work_is_not_made(options: dict[str, Any], message: str) -> None:
    """What is wrong with an argument is said before anything is tried."""
    with pytest.raises(ConfigError, match=message):
        Client("http://127.0.0.1:9", **options)


def test_a_config_and_keywords_together() -> None:
    """A keyword wins over the field of the config, which stays as it is."""
    config = ClientConfig(queue_size=5, overflow=Overflow.RAISE)
    client = Client("http://127.0.0.1:9", config=config, queue_size=7)

    assert client._core.config.queue_size == 7
    assert client._core.config.overflow is Overflow.RAISE
    assert config.queue_size == 5


def test_making_a_client_connects_nothing(server: FakeEvolutionServer) -> None:
    """A client that was only made has no thread and no connection."""
    client = make_client(server.url)

    assert client.state is ConnectionState.NEW
    assert not client.is_connected
    assert own_threads() == []
    assert server.clients == []
    assert client.namespaces == {"/": NamespaceState.LEFT, "/sales": NamespaceState.LEFT}
    assert client.instances == ("sales",)


@pytest.mark.parametrize(
    ("url", "instance", "shown"),
    [
        ("http://127.0.0.1:9", "sales", "<Client http://127.0.0.1:9 (sales) new>"),
        ("ws://127.0.0.1:9/my%20shop", None, "<Client http://127.0.0.1:9 (my shop) new>"),
        ("wss://api.example.com/p", ["a", "b"], "<Client https://api.example.com/p (a, b) new>"),
        (
            "http://127.0.0.1:9?apikey=" + KEY,
            "*",
            "<Client http://127.0.0.1:9 (all instances) new>",
        ),
    ],
    ids=["plain", "name-in-url", "prefix", "all"],
)
def test_repr_names_the_server_and_not_the_key(
    url: str, instance: str | list[str] | None, shown: str
) -> None:
    """What a client shows of itself holds its address, its instances, its state."""
    assert repr(Client(url, instance, api_key=None)) == shown
    assert KEY not in repr(Client(url, instance, api_key=KEY))


def test_from_env_reads_everything(server: FakeEvolutionServer) -> None:
    """The environment names server, instances, key and settings; arguments win over it."""
    environ = {
        "EVOLUTION_URL": server.url,
        "EVOLUTION_INSTANCE": "sales, support",
        "EVOLUTION_API_KEY": KEY,
        "EVOLUTION_QUEUE_SIZE": "12",
        "EVOLUTION_BACKFILL": "no",
        "EVOLUTION_BACKOFF_MAXIMUM": "5",
    }
    client = Client.from_env(environ=environ, queue_bytes=1_000)

    assert client.instances == ("sales", "support")
    assert client._core.credentials.fresh() == KEY
    assert client._core.config == ClientConfig(
        queue_size=12, backfill=False, queue_bytes=1_000, backoff=Backoff(maximum=5.0)
    )
    assert Client.from_env(environ=environ, instance="other").instances == ("other",)


def test_from_env_has_a_prefix_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several servers can be set up side by side in the process's own environment."""
    monkeypatch.setenv("SHOP_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SHOP_INSTANCE", "*")

    assert Client.from_env("SHOP_").instances is None
    with pytest.raises(ConfigError, match="set EVOLUTION_URL to the server's address"):
        Client.from_env()


# Connecting


def test_connect_returns_the_client_when_all_is_joined(server: FakeEvolutionServer) -> None:
    """After connect() events arrive; a second one returns at once."""
    client = make_client(server.url)

    assert client.connect() is client
    assert client.connect(0) is client
    assert client.is_connected
    assert client.state is ConnectionState.OPEN
    assert client.namespaces == {"/": NamespaceState.JOINED, "/sales": NamespaceState.JOINED}
    assert len(server.clients) == 1
    assert_closes(client)


ODD_NAMES = ["😀 café", "50% off", "%2F%20", "it's", 'the "best"', " blanks  ", "a\\b", "[{1}]"]


def test_one_connection_carries_many_instances() -> None:
    """All instances share one connection and three threads at most."""
    names = [f"shop {number}/ação" for number in range(30)] + ODD_NAMES
    with FakeEvolutionServer(instances=names) as server, make_client(server.url, names) as client:
        assert len(server.clients) == 1
        assert len(own_threads()) == 3
        for name in names:
            server.emit("messages.upsert", {"seq": 1}, instance=name)

        assert [client.get(10).instance for _ in names] == names


def test_with_closes_also_after_an_error(server: FakeEvolutionServer) -> None:
    """The end of a with block closes the client, whatever ends the block."""
    client = make_client(server.url)
    with pytest.raises(KeyError), client:
        raise KeyError

    assert client.state is ConnectionState.CLOSED
    with pytest.raises(ClientClosed, match="make a new one"), client:
        pass


def test_connect_says_that_the_websocket_is_off(server: FakeEvolutionServer) -> None:
    """A server without websocket is a failure for good, with the setting that helps."""
    server.websocket_enabled = False
    client = make_client(server.url)
    with pytest.raises(WebsocketDisabledError, match="WEBSOCKET_ENABLED=true"):
        client.connect(30)

    assert client.state is ConnectionState.FAILED


def test_a_websocket_switched_off_later_is_no_end(server: FakeEvolutionServer) -> None:
    """Once connected, a 404 is a proxy or a restart: the client tries again."""
    with make_client(server.url) as client:
        server.websocket_enabled = False
        server.drop()
        wait_until(lambda: client._core.connection.failures > 1)
        server.websocket_enabled = True
        client.wait_connected(10)


@pytest.mark.parametrize(
    "reason", ["Authentication error", 502, 503], ids=["database-down", "502", "503"]
)
def test_passing_refusals_are_tried_again(server: FakeEvolutionServer, reason: str | int) -> None:
    """A refusal that a moment may change is no end; connect(timeout) survives it."""
    server.refuse(reason, times=2)
    with pytest.raises(ConnectError) as caught:
        make_client(server.url).connect()
    assert not isinstance(caught.value, AuthenticationError)

    with make_client(server.url).connect(10) as client:
        assert client.is_connected


def test_the_key_is_asked_for_at_each_attempt() -> None:
    """A callable key is rotated: a refused key is no end when there is another one."""
    old = iter(["old-key", "old-key"])
    with FakeEvolutionServer(instances=("sales",), api_key=KEY) as server:
        client = make_client(server.url, api_key=lambda: next(old, KEY))
        with pytest.raises(AuthenticationError):  # there was no other one yet
            client.connect(10)

        with client.connect(10):
            assert client.is_connected


def test_a_key_that_cannot_be_had_is_tried_again(server: FakeEvolutionServer) -> None:
    """An exception of the user's function fails one attempt, and no more than that."""
    answers: list[Any] = [RuntimeError("vault is sealed"), " bad key ", KEY]

    def key() -> str:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    client = make_client(server.url, api_key=key)
    with pytest.raises(ConnectError, match="vault is sealed"):
        client.connect()
    assert client.state is ConnectionState.FAILED

    with client.connect(10):
        assert client.is_connected


def test_a_key_that_cannot_be_had_for_a_while_ends_nothing(server: FakeEvolutionServer) -> None:
    """After a drop, exceptions of the user's functions do not end the reconnecting."""
    answers = iter((KEY, RuntimeError("vault is sealed"), KeyError("vault"), KEY))
    errors: list[str] = []

    def key() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def fail(event: LifecycleEvent) -> None:
        errors.append(str(event.error))
        raise TypeError

    client = make_client(server.url, api_key=key)
    client.on("connect_error", callback=fail)
    with client:
        server.drop()
        wait_until(lambda: client.stats.reconnects and client.is_connected)
        wait_until(lambda: client.stats.callback_errors == 2)

        assert ["vault" in error for error in errors] == [True, True]
        assert client._core.connection.failures == 2


def test_what_cannot_work_is_tried_once(server: FakeEvolutionServer) -> None:
    """A setting that no attempt will ever satisfy ends the client after the first one."""
    client = Client("https://127.0.0.1:9", "sales", verify="/nowhere/ca.pem")
    with pytest.raises(ConfigError, match=r"verify='/nowhere/ca\.pem'"):
        client.connect(30)
    with pytest.raises(ConfigError):
        client.get(10)

    assert client.state is ConnectionState.FAILED


def test_connect_from_many_threads_makes_one_connection(server: FakeEvolutionServer) -> None:
    """However many threads connect at once, they share one connection."""
    client = make_client(server.url)
    gate = threading.Barrier(20)

    def connect() -> Client:
        gate.wait(10)
        return client.connect(10)

    tasks = [in_thread(connect) for _ in range(20)]

    assert [task.result() for task in tasks] == [client] * 20
    assert len(server.clients) == 1
    assert_closes(client)


def test_a_failed_connect_leaves_clear_words(server: FakeEvolutionServer) -> None:
    """After connect(timeout) gave up, later calls tell why."""
    server.freeze()
    client = make_client(server.url, connect_timeout=60)
    waiting = in_thread(lambda: list(client.events()))
    wait_until(lambda: client.state is ConnectionState.CONNECTING)
    with pytest.raises(TimeoutError, match=r"no connection to http://127\.0\.0\.1"):
        client.connect(0.1)
    assert waiting.is_done is False  # the loop started it, so the loop goes on

    client.close()
    assert waiting.result() == []
    other = make_client(server.url, connect_timeout=60)
    with pytest.raises(TimeoutError):
        other.connect(0.1)
    with pytest.raises(EvolutionError, match="no connection to"):
        other.emit("sendNode", {})


def test_wait_connected(server: FakeEvolutionServer) -> None:
    """wait_connected() waits for what another thread does, and starts nothing itself."""
    client = make_client(server.url)
    with pytest.raises(TimeoutError, match="within 0 seconds"):
        client.wait_connected(0)
    waiting = in_thread(client.wait_connected)
    wait_until(lambda: client._core.connection._watchers)
    assert server.clients == []
    client.connect()

    waiting.result()
    assert_closes(client)
    with pytest.raises(ClientClosed):
        client.wait_connected()


def test_wait_connected_raises_what_failed() -> None:
    """wait_connected() raises the cause when the client has failed for good."""
    client = make_client(f"http://127.0.0.1:{free_port()}", backoff=Backoff(attempts=1))
    with pytest.raises(ConnectError):
        next(client.events())

    with pytest.raises(ConnectError, match="nobody listens"):
        client.wait_connected()
