"""The controls of the embedded server: kicks, faults, waits, acknowledgements."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from evolution_ws.testing import FakeEvolutionServer
from evolution_ws.testing.plugin import (  # noqa: F401 - fixtures
    evolution_server,
    evolution_server_factory,
)
from tests.fake_server_tools import (
    CEILING,
    RawClient,
    own_threads,
    refused_body,
    rest,
    wait_until,
)


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Return a started server with the instances sales and support."""
    with FakeEvolutionServer(instances=("sales", "support")) as server:
        yield server


def test_kick_disconnects_a_namespace(server: FakeEvolutionServer) -> None:
    """The server's own disconnect takes one namespace, all of them, or the connection."""
    with RawClient(server, "/", "/sales") as client:
        server.kick("sales")
        assert client.text() == "41/sales,"
        assert server.clients[0].namespaces == ("/",)
        client.send("40/sales,")
        assert client.text().startswith("40/sales,")
        server.kick("/")
        assert client.text() == "41"
        server.kick()
        assert client.text() == "41/sales,"
        server.kick(close=True)
        assert client.end() == "close"


def test_refuse_gives_the_servers_words(server: FakeEvolutionServer) -> None:
    """A reason is the body of a 400, a number of times."""
    server.refuse("Authentication error", times=1)

    assert refused_body(server) == (400, "Authentication error")
    polling = requests.get(f"{server.url}/socket.io/?EIO=4&transport=polling", timeout=CEILING)
    assert polling.json() == {"code": 0, "message": "Transport unknown"}
    with RawClient(server, "/sales"):
        assert len(server.clients) == 1


def test_refuse_gives_a_status_until_told_otherwise(server: FakeEvolutionServer) -> None:
    """A number is the status, as of a proxy whose server is away."""
    server.refuse(503)
    assert [refused_body(server), refused_body(server)] == [(503, ""), (503, "")]

    server.refuse(None)

    with RawClient(server, "/sales"):
        assert len(server.clients) == 1


def test_rest_fails_as_told(server: FakeEvolutionServer) -> None:
    """REST calls answer the given status and body a number of times, then the right ones."""
    server.rest_fails(500, {"error": "x"}, times=1)
    assert _content(rest(server, "GET", "/")) == (500, {"error": "x"})
    assert rest(server, "GET", "/").status_code == 200

    server.rest_fails(502, "<html>")
    assert rest(server, "GET", "/").text == "<html>"
    server.rest_fails(204)
    assert rest(server, "GET", "/").text == ""
    server.rest_fails(None)
    assert rest(server, "GET", "/").status_code == 200


def _content(answer: requests.Response) -> tuple[int, object]:
    return answer.status_code, answer.json()


def test_rest_delay_keeps_callers_waiting(server: FakeEvolutionServer) -> None:
    """The answer comes later, and events go on meanwhile; who left gets none."""
    server.rest_delay = 0.1
    with pytest.raises(requests.ReadTimeout):
        requests.get(server.url, timeout=0.01)
    begun = time.monotonic()

    assert rest(server, "GET", "/").status_code == 200
    assert time.monotonic() - begun >= 0.1


def test_requests_tell_what_was_called(server: FakeEvolutionServer) -> None:
    """Method, path, query, key and body of REST calls can be looked at."""
    rest(server, "POST", "/chat/findMessages/sales?a=1", {"where": {}}, key="k")
    rest(server, "GET", "/")

    first, second = server.requests
    assert (
        first.method,
        first.path,
        first.json,
    ) == ("POST", "/chat/findMessages/sales", {"where": {}})
    assert dict(first.query) == {"a": "1"}
    assert first.headers["apikey"] == "k"
    assert second.json is None


def test_clients_tell_who_is_connected(server: FakeEvolutionServer) -> None:
    """Namespaces, headers and whether a key came can be looked at."""
    with RawClient(server, "/sales", "/"), RawClient(server, query="&apikey=k"):
        first, second = server.clients

    assert (first.namespaces, first.has_key) == (("/sales", "/"), False)
    assert (second.namespaces, second.has_key) == ((), True)
    assert first.headers["upgrade"] == "websocket"
    assert second.query["apikey"] == "k"


def test_wait_for_client_waits_for_joins(server: FakeEvolutionServer) -> None:
    """Only who joined counts, and no more than came in time."""
    with RawClient(server, "/sales"), RawClient(server, "/"):
        with RawClient(server):
            assert len(server.wait_for_client(count=2)) == 2
        assert len(server.wait_for_client("sales")) == 1
        assert len(server.wait_for_client("/")) == 1
        with pytest.raises(TimeoutError, match=r"no 2 client\(s\) within 0\.01 s"):
            server.wait_for_client("sales", count=2, timeout=0.01)


def test_wait_for_emit_gives_up(server: FakeEvolutionServer) -> None:
    """Nothing received in time is a TimeoutError."""
    with pytest.raises(TimeoutError, match=r"no 1 event\(s\)"):
        server.wait_for_emit(timeout=0.01)


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [("pong", '43/sales,5["pong"]'), (("a", 1), '43/sales,5["a",1]'), ([], "43/sales,5[[]]")],
    ids=["value", "values", "list"],
)
def test_ack_answers_when_there_is_one(
    server: FakeEvolutionServer, answer: object, wanted: str
) -> None:
    """A function of the user answers emits that ask; it may use the server meanwhile."""

    def ack(namespace: str, name: str, args: list[object]) -> object:
        assert server.received[-1] == (namespace, name, args)
        return answer

    server.ack = ack
    with RawClient(server, "/sales") as client:
        client.send('42/sales,["no answer wanted"]')
        client.send('42/sales,5["ping",1]')

        assert wanted == client.text()


@pytest.mark.parametrize("function", [None, lambda *args: None], ids=["none", "silent"])
def test_ack_is_off_as_on_a_real_server(
    server: FakeEvolutionServer, function: Callable[..., object] | None
) -> None:
    """An emit that asks gets no answer, and the connection stays."""
    server.ack = function
    with RawClient(server, "/sales") as client:
        client.send('42/sales,5["ping"]')
        server.wait_for_emit()
        server.emit("call", 1)

        assert client.text().startswith("42/sales,")


def test_ack_may_stop_the_server(server: FakeEvolutionServer) -> None:
    """A stop from the server's own thread does not wait for itself."""
    server.ack = lambda *args: server.stop()
    with RawClient(server, "/sales") as client:
        client.send('42/sales,5["ping"]')

        assert client.end() == "eof"
    wait_until(lambda: not own_threads())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_ack_that_fails_is_reported_and_survived(server: FakeEvolutionServer) -> None:
    """An exception goes where those of threads go, and the server serves on."""
    failed: queue.SimpleQueue[str] = queue.SimpleQueue()
    before = threading.excepthook
    threading.excepthook = lambda args: failed.put(repr(args.exc_value))
    try:
        server.ack = lambda *args: 1 / 0
        with RawClient(server, "/sales") as client:
            client.send('42/sales,5["ping"]')
            assert "ZeroDivisionError" in failed.get(timeout=CEILING)
            server.emit("call", 1)
            assert client.text().startswith("42/sales,")
    finally:
        threading.excepthook = before
