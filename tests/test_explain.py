"""What a user is told when a connection cannot be opened, from the real errors of the stack."""

from __future__ import annotations

import json
import ssl

import pytest

from evolution_ws import (
    AuthenticationError,
    ConfigError,
    ConnectError,
    EvolutionError,
    WebsocketDisabledError,
)
from evolution_ws._explain import explain
from evolution_ws._packets import ProtocolViolation

from .explain_tools import KEY, answering, failure_of


WHERE = "https://api.example.com"


# Answers over HTTP


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        pytest.param(
            "400 Bad Request",
            b"apiKey is required",
            AuthenticationError,
            ["wants an api key (apiKey is required)", "api_key="],
            id="no key",
        ),
        pytest.param(
            "400 Bad Request",
            b"Invalid global token",
            AuthenticationError,
            ["refused the api key (Invalid global token)", "AUTHENTICATION_API_KEY"],
            id="wrong key",
        ),
        pytest.param(
            "400 Bad Request",
            b"Authentication error",
            ConnectError,
            ["cannot check keys", "(Authentication error)", "database"],
            id="database down",
        ),
        pytest.param(
            "403 Forbidden",
            b'{"code":4,"message":"Authentication error"}',
            ConnectError,
            ["cannot check keys"],
            id="database down, as JSON",
        ),
        pytest.param(
            "401 Unauthorized",
            b'{"status":401,"error":"Unauthorized","response":{"message":"Unauthorized"}}',
            AuthenticationError,
            ["refused the api key (Unauthorized)"],
            id="401",
        ),
        pytest.param(
            "403 Forbidden", b"", AuthenticationError, ["refused the api key (HTTP 403)"], id="403"
        ),
        pytest.param(
            "404 Not Found",
            b'{"status":404,"response":{"message":["Cannot GET /socket.io/"]}}',
            WebsocketDisabledError,
            ["HTTP 404: Cannot GET /socket.io/", "WEBSOCKET_ENABLED=true", "reverse proxy"],
            id="404",
        ),
        pytest.param(
            "404 Not Found", b"", WebsocketDisabledError, ["not found"], id="404 without words"
        ),
        pytest.param(
            "502 Bad Gateway",
            b"<html>\r\n<h1>Bad</h1>\x1b[31m</html>",
            ConnectError,
            [
                "HTTP 502: <html> <h1>Bad</h1> [31m</html>",
                "the server behind it is not",
            ],
            id="502",
        ),
        pytest.param("503 Unavailable", b"", ConnectError, ["HTTP 503: an empty answer"], id="503"),
        pytest.param(
            "200 OK", b"Welcome", ConnectError, ["HTTP 200: Welcome", "Upgrade"], id="200"
        ),
        pytest.param(
            "426 Upgrade Required",
            b"",
            ConnectError,
            ["HTTP 426", "Upgrade and Connection"],
            id="426",
        ),
        pytest.param("500 Oh", b"no", ConnectError, ["HTTP 500: no", "server's log"], id="500"),
        pytest.param(
            "400 Bad Request",
            b'{"code":5,"message":"Unsupported protocol version"}',
            ConnectError,
            ["HTTP 400: Unsupported protocol version"],
            id="400 as JSON",
        ),
        pytest.param("400 Bad", b"[1]", ConnectError, ["HTTP 400: [1]"], id="a list"),
        pytest.param("400 Bad", b"5", ConnectError, ["HTTP 400: 5"], id="a number"),
        pytest.param("400 Bad", b'{"a":1}', ConnectError, ['HTTP 400: {"a":1}'], id="no message"),
        pytest.param("400 Bad", b"\xff\xfe", ConnectError, ["HTTP 400: \ufffd\ufffd"], id="bytes"),
        pytest.param("400 Bad", b"[" * 50_000, ConnectError, ["HTTP 400: [[["], id="bottomless"),
        pytest.param("500 Oh", b"x" * 5_000, ConnectError, ["x" * 150 + "x", "…"], id="endless"),
    ],
)
def test_an_answer_over_http_is_explained(
    status: str, body: bytes, kind: type[EvolutionError], words: list[str]
) -> None:
    """Status and the server's words tell what happened and what to do."""
    error, url = failure_of(answering(status, body))

    assert type(error) is kind
    assert str(error).startswith(url)
    assert [word for word in words if word not in str(error)] == []
    assert len(str(error)) < 600


@pytest.mark.parametrize(
    "body",
    [
        f"you sent {KEY}".encode(),
        json.dumps({"message": f"bad key {KEY}"}).encode(),
        f"GET /socket.io/?apikey=other-{KEY} refused".encode(),
    ],
    ids=["text", "JSON", "query"],
)
def test_a_key_that_is_echoed_is_masked(body: bytes) -> None:
    """Servers and proxies like to repeat what they refused."""
    error, _ = failure_of(answering("500 Oh", body))

    assert "***" in str(error)
    assert "other-" not in str(error)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        pytest.param("https://new.example.com/x?apikey=1#y", "https://new.example.com/x", id="URL"),
        pytest.param(f"https://u:p@new.example.com/{KEY}", "https://new.example.com/***", id="key"),
        pytest.param("/elsewhere", "/elsewhere", id="path"),
        pytest.param("http://[broken", "***", id="broken"),
    ],
)
def test_a_redirect_is_refused_and_named(location: str, shown: str) -> None:
    """The key is not sent to another place; the user learns where it would have gone."""
    error, url = failure_of(answering("301 Moved", b"", f"Location: {location}"))

    assert type(error) is ConnectError
    assert str(error).startswith(f"{url} redirects to {shown}. Use that address")


def test_a_redirect_to_nowhere_is_explained() -> None:
    """A redirect without a target is named as such."""
    error, _ = failure_of(answering("302 Found"))

    assert "redirects to nowhere" in str(error)


# What never happens over a socket


def test_an_error_of_this_library_is_kept() -> None:
    """What is explained already is not explained again."""
    error = ConfigError("why")

    assert explain(error, WHERE) is error


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        pytest.param(
            RuntimeError("can't start new thread"),
            f"cannot connect to {WHERE}: this process can start no thread (can't start new thread)",
            id="threads",
        ),
        pytest.param(
            ProtocolViolation("odd"),
            f"{WHERE} does not speak socket.io as Evolution API does: odd",
            id="protocol",
        ),
        pytest.param(
            OSError(101, "Network is unreachable"),
            f"cannot connect to {WHERE}: Network is unreachable",
            id="network",
        ),
        pytest.param(
            ConnectionResetError(104, "Connection reset by peer"),
            f"{WHERE} broke the connection off (Connection reset by peer). Is it starting?",
            id="reset",
        ),
        pytest.param(ssl.SSLError(1, "odd"), f"no TLS with {WHERE} (", id="TLS without a reason"),
        pytest.param(
            KeyError(f"x\n{KEY}"), f"cannot connect to {WHERE}: KeyError: 'x\\n***'", id="anything"
        ),
    ],
)
def test_other_errors_are_explained(exc: BaseException, expected: str) -> None:
    """Each problem has its sentence; what is unknown is shown as it is, without the key."""
    error = explain(exc, WHERE, KEY)

    assert type(error) is ConnectError
    assert str(error).startswith(expected)


def test_the_innermost_cause_is_found_in_a_ring() -> None:
    """A chain that bites its tail ends nevertheless."""
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first

    assert str(explain(first, WHERE)) == f"cannot connect to {WHERE}: ValueError: first"
