"""Requests without an answer."""

from __future__ import annotations

import socket
import threading

import pytest
import requests
import urllib3

from evolution_ws._rest_errors import NoAnswer, translated
from evolution_ws.exceptions import ConfigError
from tests.rest.rest_server import RestServer, get, opened, refused_port, run


pytestmark = pytest.mark.usefixtures("direct")


def test_refused() -> None:
    """Nobody listening is told from other failures."""
    url = f"http://127.0.0.1:{refused_port()}"

    with opened(url) as transport, pytest.raises(NoAnswer, match="refused"):
        get(transport, url)


def test_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name without an address is told from other failures."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    url = "http://evo.invalid"

    with opened(url) as transport, pytest.raises(NoAnswer, match="cannot be resolved"):
        get(transport, url)


def test_no_answer_in_time(server: RestServer) -> None:
    """A server that is silent for too long is given up after one attempt."""
    gate = threading.Event()
    server.answer("GET", "/x", gate=gate)

    with opened(server.url) as transport, pytest.raises(NoAnswer, match=r"within 0\.2 s") as caught:
        get(transport, f"{server.url}/x", timeout=0.2)

    gate.set()
    assert caught.value.kind == "timeout"
    assert len(server.seen) == 1


def test_answer_that_stops_in_the_middle() -> None:
    """An answer that begins and does not go on is given up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with opened(url) as transport:
            end = run(lambda: get(transport, url, timeout=0.3))
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12")
                raised = end()

    assert isinstance(raised, NoAnswer)
    assert raised.kind == "timeout"


def test_no_connection_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that swallows everything is given up after one attempt."""
    calls = []

    def fail(*_: object, **__: object) -> None:
        calls.append(1)
        raise TimeoutError

    monkeypatch.setattr("urllib3.util.connection.create_connection", fail)
    url = "http://127.0.0.1:9"

    with opened(url) as transport, pytest.raises(NoAnswer, match="no connection within 5 s"):
        get(transport, url, timeout=5.0)
    assert len(calls) == 1


def test_proxy_is_not_there() -> None:
    """A proxy that cannot be reached is told from a server that cannot."""
    proxy = f"http://127.0.0.1:{refused_port()}"
    url = "https://evo.invalid"

    with opened(url, proxy=proxy) as transport, pytest.raises(NoAnswer, match="proxy") as caught:
        get(transport, url)
    assert caught.value.kind == "setup"


@pytest.mark.parametrize(
    ("url", "proxy", "said"),
    [
        pytest.param("http://evo.invalid", "http://", "proxy's URL", id="proxy"),
        pytest.param("http://.evo.invalid", None, "InvalidURL", id="host"),
    ],
)
def test_impossible_request(url: str, proxy: str | None, said: str) -> None:
    """What can never be sent is a matter of configuration."""
    with opened(url, proxy=proxy) as transport, pytest.raises(ConfigError, match=said):
        get(transport, url)


def test_authorities_of_the_environment_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong environment variable is a matter of configuration."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    url = "https://evo.invalid"

    with opened(url) as transport, pytest.raises(ConfigError, match="REQUESTS_CA_BUNDLE"):
        get(transport, url)


@pytest.mark.parametrize(
    ("raised", "expected", "said"),
    [
        pytest.param(
            requests.exceptions.SSLError("https://x?apikey=k"), NoAnswer, "no further", id="tls"
        ),
        pytest.param(
            requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support."),
            ConfigError,
            "PySocks",
            id="socks",
        ),
        pytest.param(
            requests.exceptions.InvalidHeader("apikey: k"),
            ConfigError,
            "InvalidHeader",
            id="header",
        ),
        pytest.param(urllib3.exceptions.HTTPError("apikey=k"), NoAnswer, "broke", id="urllib3"),
    ],
)
def test_translated(raised: Exception, expected: type[Exception], said: str) -> None:
    """No exception of the libraries below, and none of their words, comes through."""
    with pytest.raises(expected, match=said) as caught, translated(1.0):
        raise raised

    assert "apikey" not in str(caught.value)
