"""Connections, retries, time limits and interruptions of the REST companion."""

from __future__ import annotations

import os
import socket
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any

import pytest

from evolution_ws._rest_errors import NoAnswer
from evolution_ws._rest_transport import Call
from evolution_ws.config import Backoff
from evolution_ws.exceptions import ClientClosed
from tests.rest.rest_server import CEILING, RestServer, get, opened, run, wait_until


pytestmark = pytest.mark.usefixtures("direct")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_get_is_repeated(server: RestServer, status: int) -> None:
    """A passing failure and a broken connection are tried again."""
    server.answer("GET", "/x", status=status)
    server.answer("GET", "/x", drop=True)
    server.answer("GET", "/x", 7)

    with opened(server.url) as transport:
        assert get(transport, f"{server.url}/x") == b"7"
    assert len(server.seen) == 3


def test_get_is_repeated_three_times(server: RestServer) -> None:
    """After three retries the last answer counts."""
    server.answer("GET", "/x", "busy", 503)

    with opened(server.url) as transport:
        assert get(transport, f"{server.url}/x") == b'"busy"'
    assert len(server.seen) == 4


@pytest.mark.parametrize(
    ("method", "status", "value"),
    [
        pytest.param("POST", 503, "busy", id="post"),
        pytest.param("GET", 500, "broken", id="lasting"),
        pytest.param("GET", 503, {"code": "LICENSE_REQUIRED"}, id="licence"),
    ],
)
def test_not_repeated(server: RestServer, method: str, status: int, value: Any) -> None:
    """What another attempt would not change, or might do twice, is sent once."""
    server.answer(method, "/x", value, status)

    with opened(server.url) as transport:
        get(transport, f"{server.url}/x", method)
    assert len(server.seen) == 1


def test_post_on_a_broken_connection(server: RestServer) -> None:
    """A POST whose answer got lost is not sent again."""
    server.answer("POST", "/x", drop=True)

    with opened(server.url) as transport, pytest.raises(NoAnswer, match="broke before") as caught:
        get(transport, f"{server.url}/x", "POST")
    assert caught.value.kind == "connect"
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(
            "Fri, 05 Dec 2025 16:30:00 GMT",
            datetime(2025, 12, 5, 16, 30, tzinfo=timezone.utc),
            id="date",
        ),
        pytest.param(
            "Fri, 05 Dec 2025 16:30:00 -0000",
            datetime(2025, 12, 5, 16, 30, tzinfo=timezone.utc),
            id="no zone",
        ),
        pytest.param("yesterday", None, id="garbage"),
        pytest.param(None, None, id="none"),
    ],
)
def test_server_clock(sent: str | None, expected: datetime | None) -> None:
    """The server's clock is read in UTC where it is told."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with opened(url) as transport, ThreadPoolExecutor(1) as pool:
            answer = pool.submit(transport.send, Call(method="GET", url=url, timeout=5))
            connection, _ = listener.accept()
            with connection:
                date = f"Date: {sent}\r\n".encode() if sent else b""
                connection.sendall(head + date + b"\r\n")
                assert answer.result(CEILING).date == expected


def test_redirect_is_not_followed(server: RestServer) -> None:
    """The key goes to no other place."""
    server.answer("GET", "/x", status=302, headers={"Location": "/y"})

    with opened(server.url) as transport:
        answer = transport.send(Call(method="GET", url=f"{server.url}/x", key="k", timeout=5))

    assert (answer.status, answer.location) == (302, "/y")
    assert [seen.path for seen in server.seen] == ["/x"]


def test_cookies_are_not_kept(server: RestServer) -> None:
    """Calls of different threads do not share what a server remembers."""
    server.answer("GET", "/x", headers={"Set-Cookie": "a=b"})

    with opened(server.url) as transport:
        get(transport, f"{server.url}/x")
        get(transport, f"{server.url}/x")

    assert "cookie" not in server.seen[1].headers


def test_connections_are_kept(server: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection is used again, but not one that the server may be about to close."""
    server.answer("GET", "/x")

    with opened(server.url) as transport:
        get(transport, f"{server.url}/x")
        get(transport, f"{server.url}/x")
        kept = server.connections
        monkeypatch.setattr("evolution_ws._rest_transport._IDLE_LIMIT", -1.0)
        get(transport, f"{server.url}/x")

    assert (kept, server.connections) == (1, 2)


def test_threads_have_connections_of_their_own(server: RestServer) -> None:
    """Calls at the same time do not wait for each other."""
    gate = threading.Event()
    server.answer("GET", "/slow", 1, gate=gate)
    server.answer("GET", "/fast", 2)

    with opened(server.url) as transport, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(get, transport, f"{server.url}/slow")
        assert server.arrived.wait(CEILING)
        fast = get(transport, f"{server.url}/fast")
        gate.set()
        assert (slow.result(CEILING), fast) == (b"1", b"2")
    assert server.connections == 2


def test_close_ends_what_waits(server: RestServer) -> None:
    """A call that waits for its answer ends when the transport is closed."""
    gate = threading.Event()
    server.answer("GET", "/x", gate=gate)

    with opened(server.url) as transport:
        end = run(lambda: get(transport, f"{server.url}/x", timeout=CEILING))
        assert server.arrived.wait(CEILING)
        transport.close()
        raised = end()

    gate.set()
    assert isinstance(raised, ClientClosed)
    assert raised.__suppress_context__


def test_close_ends_a_pause(server: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is about to try again ends when the transport is closed."""
    retries = Backoff(initial=600.0, maximum=600.0, jitter=0)
    monkeypatch.setattr("evolution_ws._rest_transport._RETRIES", retries)
    server.answer("GET", "/x", status=503)

    with opened(server.url) as transport:
        end = run(lambda: get(transport, f"{server.url}/x"))
        wait_until(lambda: bool(transport._idle))  # the connection is back: the pause begins
        transport.close()
        raised = end()

    assert isinstance(raised, ClientClosed)
    assert len(server.seen) == 1


def test_close_from_several_threads(server: RestServer) -> None:
    """Closing at the same time in several threads does no harm."""
    barrier = threading.Barrier(4)

    with opened(server.url) as transport:

        def close() -> None:
            barrier.wait(CEILING)
            transport.close()

        ends = [run(close) for _ in range(4)]

        assert [end() for end in ends] == [None] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork(server: RestServer) -> None:
    """A child opens its own connection; its parent goes on with the old one."""
    server.answer("GET", "/x", 7)
    url = f"{server.url}/x"

    with opened(server.url) as transport:
        get(transport, url)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads
            child = os.fork()
        if not child:
            good = False
            try:
                good = get(transport, url) == b"7"
                transport.close()
            finally:
                os._exit(0 if good else 1)
        _, status = os.waitpid(child, 0)
        get(transport, url)

    assert os.waitstatus_to_exitcode(status) == 0
    assert server.connections == 2


def test_another_process(server: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was opened under another process id is not used."""
    server.answer("GET", "/x", 7)

    with opened(server.url) as transport:
        get(transport, f"{server.url}/x")
        monkeypatch.setattr(os, "getpid", lambda: -1)
        get(transport, f"{server.url}/x")
        get(transport, f"{server.url}/x")

    assert server.connections == 2


def test_a_call_hides_what_it_carries() -> None:
    """The representation of a call has no key, body or query."""
    call = Call(method="GET", url="/x", key="k-1", json="j-1", params={"p": "p-1"}, timeout=1)

    assert repr(call) == "Call(method='GET', url='/x', timeout=1)"
