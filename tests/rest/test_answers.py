"""Errors of the REST interface in all their shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evolution_ws._rest_answers import Request, no_answer, read_reply
from evolution_ws._rest_errors import NoAnswer
from evolution_ws._rest_transport import Answer
from evolution_ws.exceptions import ApiError
from tests.rest.rest_server import load_sample


REQUEST = Request("GET", "https://evo.example.test/x?number=15550100", ("invented-key", ""))


def failure(status: int, body: bytes, location: str = "") -> ApiError:
    """Return the error that an answer is read as."""
    with pytest.raises(ApiError) as caught:
        read_reply(Answer(status, body, location), REQUEST)
    return caught.value


@pytest.mark.parametrize(
    ("sample", "status", "said", "hint"),
    [
        ("error-401", 401, "Unauthorized", "belongs to another instance"),
        ("error-404-instance", 404, 'The "nao-existe" instance', "upper and lower case"),
        ("error-404-route", 404, "Cannot GET /socket.io/", "no such route"),
        ("error-500-cors", 500, "Not allowed by CORS", "origin="),
        ("error-503-license-2.4", 503, "not activated", "activated in its manager"),
        ("handshake-403-polling", 403, "apiKey is required", ""),
        ("sendText-not-on-whatsapp", 400, "the number is not on WhatsApp", ""),
        ("websocket-set-bad-event", 400, "websocket.events[0] is not one of", "does not know"),
        ("websocket-set-missing-events", 500, "Cannot read properties", ""),
        ("websocket-set-v1-body-on-v2", 500, "Cannot set properties", ""),
        ("connect-error-200", 200, "[object Object]", ""),
    ],
)
def test_recorded_error(sample: str, status: int, said: str, hint: str) -> None:
    """Each recorded error gives its status, its words and advice."""
    error = failure(
        load_sample(sample)["status"], json.dumps(load_sample(sample)["response"]).encode()
    )

    assert error.status == status
    assert len(error.messages) == 1
    assert said in error.messages[0]
    assert hint in error.hint


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        pytest.param("plain", ("plain",), id="str"),
        pytest.param(["a", ["b", ["a"]]], ("a", "b"), id="nested"),
        pytest.param({"response": {"message": [{"message": "a"}]}}, ("a",), id="objects"),
        pytest.param({"error": "a", "message": []}, ("a",), id="error"),
        pytest.param({"message": [{"exists": True}, {"exists": None}]}, None, id="exists"),
        pytest.param({"other": 1}, (), id="unknown"),
        pytest.param(None, (), id="null"),
        pytest.param(json.loads("[" * 200 + '"a"' + "]" * 200), (), id="deep"),
        pytest.param([str(n) for n in range(50)], tuple(str(n) for n in range(10)), id="many"),
        pytest.param(["  a\n\n b\x1b[2J "], ("a b [2J",), id="control characters"),
        pytest.param(["x" * 999], ("x" * 199 + "…",), id="long"),
    ],
)
def test_words(value: Any, messages: tuple[str, ...] | None) -> None:
    """The server's words are found in every shape, and made fit to be shown."""
    expected = ("the number is not on WhatsApp",) if messages is None else messages
    assert expected == failure(400, json.dumps(value).encode()).messages


@pytest.mark.parametrize(
    "secret",
    ["15550100", "+15550100", "5511000000000@s.whatsapp.net", "120363000000000000@g.us",
     "5511000000000:12@s.whatsapp.net", "1555010-1600000000@g.us", "invented-key"],
)  # fmt: skip
def test_secrets_are_masked(secret: str) -> None:
    """Numbers, addresses of chats and the key are not repeated."""
    error = failure(500, json.dumps(f"failed for {secret}!").encode())

    assert error.messages == ("failed for ***!",)


def test_query_is_not_shown() -> None:
    """The error names the request, without its query."""
    error = failure(500, b"{}")

    assert str(error) == "HTTP 500: no explanation. [GET https://evo.example.test/x]"


@pytest.mark.parametrize(
    ("status", "body", "said", "hint"),
    [
        (
            502,
            b"<html><head><title>502 Bad\nGateway</title>",
            "a web page (502 Bad Gateway)",
            "running",
        ),
        (504, b"<html></html>", "the answer is a web page", "took too long"),
        (413, b"<title>413</title>", "a web page (413)", "too large"),
        (429, b"slow down", "not JSON", "slow down"),
        (
            200,
            b"<!doctype html><title>Manager</title>",
            "a web page (Manager)",
            "Does the URL lead",
        ),
        (200, b'{"cut', "the answer is not JSON", "Does the URL lead"),
        (200, b"\xff\xfe\x00", "the answer is not JSON", "Does the URL lead"),
        (200, b"[" * 100_000, "the answer is not JSON", "Does the URL lead"),
    ],
    ids=["502", "no title", "413", "429", "page", "cut", "binary", "deep"],
)
def test_not_from_the_server(status: int, body: bytes, said: str, hint: str) -> None:
    """What a proxy or another program answers is an error with the status it came with."""
    error = failure(status, body)

    assert error.status == status
    assert said in error.messages[0]
    assert hint in error.hint


@pytest.mark.parametrize(
    ("location", "shown"),
    [("https://other.example.test/y?apikey=k", "https://other.example.test/y"), ("", "another")],
    ids=["address", "none"],
)
def test_redirect(location: str, shown: str) -> None:
    """A redirect names its target, without a query, and says why it is not followed."""
    error = failure(301, b"", location)

    assert f"redirects to {shown}" in error.messages[0]
    assert "apikey=" not in str(error)
    assert "would carry the api key" in error.hint


def test_error_inside_a_success() -> None:
    """An error's object counts, whatever the status that it came with."""
    error = failure(200, b'{"status": 500, "error": "Oops", "response": {"message": "down"}}')

    assert (error.status, error.messages) == (200, ("down",))


@pytest.mark.parametrize(
    ("body", "value", "is_empty"),
    [
        pytest.param(b"", None, True, id="empty"),
        pytest.param(b" \n", None, True, id="blank"),
        pytest.param(b"null", None, False, id="null"),
        pytest.param(b'{"status": 200}', {"status": 200}, False, id="status"),
        pytest.param(b'{"status": "PENDING"}', {"status": "PENDING"}, False, id="other status"),
        pytest.param(
            b'{"status": true, "error": 1}', {"status": True, "error": 1}, False, id="bool"
        ),
        pytest.param(b"[1]", [1], False, id="list"),
    ],
)
def test_success(body: bytes, value: Any, is_empty: bool) -> None:
    """An empty answer is told from null, and nothing is taken for an error that is none."""
    reply = read_reply(Answer(201, body), REQUEST)

    assert (reply.value, reply.is_empty, reply.status) == (value, is_empty, 201)


def test_no_answer() -> None:
    """A request without an answer has the status 0, and the reason for its words."""
    error = no_answer(NoAnswer("timeout", "no answer within 2 s", "Wait longer"), REQUEST)

    expected = "no answer: no answer within 2 s. Wait longer [GET https://evo.example.test/x]"
    assert str(error) == expected


def test_request_hides_its_secrets() -> None:
    """The representation of a request holds nothing secret."""
    assert "invented" not in repr(REQUEST)
