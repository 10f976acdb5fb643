"""Sending texts and fetching media through the REST companion."""

from __future__ import annotations

import base64
import logging
import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from evolution_ws.exceptions import ApiError, ConfigError
from evolution_ws.rest import Api
from tests.rest.rest_server import KEY, RestServer


SEND = "/message/sendText/sales"
MEDIA = "/chat/getBase64FromMediaMessage/sales"


def test_send_text(server: RestServer, api: Api) -> None:
    """A text alone is sent without options."""
    server.answer_sample("POST", SEND, "sendText-v2")

    sent = api.send_text("sales", "15550100", "Olá!")

    assert server.requests(SEND)[0].body == {"number": "15550100", "text": "Olá!"}
    assert sent["key"]["id"] == "3EB0374BA50C7C3DB47EE5"


OPTIONS: dict[str, Any] = {
    "quoted": "A1",
    "delay": 1.2,
    "link_preview": False,
    "mentioned": ["15550101"],
    "mentions_everyone": True,
}


def test_send_text_options(server: RestServer, api: Api) -> None:
    """Options get their wire names, and the delay its milliseconds."""
    server.answer("POST", SEND, {})

    api.send_text("sales", "15550100", "hi", **OPTIONS)

    expected = {
        "number": "15550100",
        "text": "hi",
        "quoted": {"key": {"id": "A1"}},
        "delay": 1200,
        "linkPreview": False,
        "mentioned": ["15550101"],
        "mentionsEveryOne": True,
    }
    assert expected == server.requests(SEND)[0].body


def test_send_text_options_v1(server: RestServer, api_v1: Api) -> None:
    """Version 1 gets its own shape."""
    server.answer_sample("POST", SEND, "sendText-v1.8")

    api_v1.send_text("sales", "15550100", "hi", **OPTIONS)

    expected = {
        "number": "15550100",
        "textMessage": {"text": "hi"},
        "options": {
            "quoted": {"key": {"id": "A1"}},
            "delay": 1200,
            "linkPreview": False,
            "mentions": {"everyOne": True, "mentioned": ["15550101"]},
        },
    }
    assert expected == server.requests(SEND)[0].body


def test_send_text_v1_without_options(server: RestServer, api_v1: Api) -> None:
    """Version 1 gets no mentions that nobody asked for."""
    server.answer("POST", SEND, {})

    api_v1.send_text("sales", "15550100", "hi")

    expected = {"number": "15550100", "textMessage": {"text": "hi"}, "options": {}}
    assert expected == server.requests(SEND)[0].body


RAW: dict[str, Any] = {
    "key": {"id": "A1", "fromMe": False},
    "message": {"conversation": "hello", "mediaKey": b"\x00"},
}


@pytest.mark.parametrize(
    ("quoted", "expected"),
    [
        pytest.param({"id": "A1"}, {"key": {"id": "A1"}}, id="key"),
        pytest.param({"key": {"id": "A1"}}, {"key": {"id": "A1"}}, id="dict"),
        pytest.param(SimpleNamespace(id="A1"), {"key": {"id": "A1"}}, id="object"),
        pytest.param(
            SimpleNamespace(id="other", raw=RAW),
            {"key": RAW["key"], "message": {"conversation": "hello"}},
            id="message",
        ),
        pytest.param(
            SimpleNamespace(id="other", data=RAW),
            {"key": RAW["key"], "message": {"conversation": "hello"}},
            id="event",
        ),
        pytest.param(
            {"key": {"id": "A1"}, "message": {"imageMessage": {}}},
            {"key": {"id": "A1"}},
            id="media",
        ),
    ],
)
def test_send_text_quoted(
    server: RestServer, api: Api, quoted: object, expected: dict[str, Any]
) -> None:
    """A message is quoted by its key, with the plain text that is known."""
    server.answer("POST", SEND, {})

    api.send_text("sales", "15550100", "hi", quoted=quoted)

    assert expected == server.requests(SEND)[0].body["quoted"]


@pytest.mark.parametrize(
    "quoted",
    ["", {}, {"key": None}, {"key": {"id": 3}}, 7, SimpleNamespace(id="event", data={"x": 1})],
    ids=["empty", "no key", "null key", "no id", "number", "another event"],
)
def test_send_text_quoting_nothing(server: RestServer, api: Api, quoted: object) -> None:
    """What names no message is refused before anything is sent."""
    with pytest.raises(ConfigError, match="name the message"):
        api.send_text("sales", "15550100", "hi", quoted=quoted)

    assert server.seen == []


@pytest.mark.parametrize("delay", [-1, 1200, float("nan")], ids=["negative", "ms", "nan"])
def test_send_text_delay_out_of_range(api: Api, delay: float) -> None:
    """Milliseconds by mistake are refused."""
    with pytest.raises(ConfigError, match="in seconds"):
        api.send_text("sales", "15550100", "hi", delay=delay)


def test_send_text_not_on_whatsapp(server: RestServer, api: Api) -> None:
    """The server's object becomes a sentence without the number."""
    server.answer_sample("POST", SEND, "sendText-not-on-whatsapp")

    with pytest.raises(ApiError) as caught:
        api.send_text("sales", "5511000000000", "hi")

    assert (caught.value.status, caught.value.messages) == (400, ("the number is not on WhatsApp",))
    assert "5511" not in str(caught.value)


def test_send_text_error_repeats_nothing(server: RestServer, api: Api) -> None:
    """Words of the server that repeat number, text or key lose them."""
    said = f"cannot send 'top secret' to 15550100 with {KEY}"
    server.answer("POST", SEND, {"response": {"message": said}}, 500)

    with pytest.raises(ApiError) as caught:
        api.send_text("sales", "15550100", "top secret")

    assert caught.value.messages == ("cannot send '***' to *** with ***",)
    assert str(caught.value) == str(pickle.loads(pickle.dumps(caught.value)))


def test_send_text_misread(server: RestServer, api: Api) -> None:
    """An answer that is no message is an error."""
    server.answer("POST", SEND, raw=b"", status=201)

    with pytest.raises(ApiError, match="no message in the answer"):
        api.send_text("sales", "15550100", "hi")


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"], ids=["plain", "data url"])
def test_media_base64(server: RestServer, api: Api, prefix: str) -> None:
    """The media comes decoded."""
    server.answer("POST", MEDIA, {"base64": prefix + base64.b64encode(b"\x89PNG").decode()}, 201)

    assert api.media_base64("sales", "A1") == b"\x89PNG"
    assert server.requests(MEDIA)[0].body == {"message": {"key": {"id": "A1"}}}


def test_media_base64_of_a_message_that_is_not_stored(server: RestServer, api: Api) -> None:
    """When the server does not find the message, what its event told goes along."""
    server.answer("POST", MEDIA, {"response": {"message": ["Message not found"]}}, 400)
    server.answer("POST", MEDIA, {"base64": "AA=="}, 201)
    image = {"mediaKey": b"\x01\x02", "sizes": [b"\x03", 4]}
    raw = {"key": {"id": "A1"}, "message": {"imageMessage": image}}

    assert api.media_base64("sales", SimpleNamespace(raw=raw)) == b"\x00"

    sent = server.requests(MEDIA)[1].body["message"]
    assert sent["message"] == {"imageMessage": {"mediaKey": "AQI=", "sizes": ["Aw==", 4]}}


@pytest.mark.parametrize(
    ("message", "said"),
    [
        pytest.param("A1", "Message not found", id="nothing to add"),
        pytest.param(RAW, "The message is not of the media type", id="another reason"),
    ],
)
def test_media_base64_refused(server: RestServer, api: Api, message: object, said: str) -> None:
    """A refusal is passed on when a second try would not help."""
    server.answer("POST", MEDIA, {"response": {"message": [said]}}, 400)

    with pytest.raises(ApiError, match=said):
        api.media_base64("sales", message, timeout=5)
    assert len(server.requests(MEDIA)) == 1


@pytest.mark.parametrize(
    "value",
    [None, {"base64": ""}, {"base64": "!"}, {"base64": 3}],
    ids=["null", "empty", "garbage", "number"],
)
def test_media_base64_misread(server: RestServer, api: Api, value: Any) -> None:
    """An answer without media is an error."""
    server.answer("POST", MEDIA, value)

    with pytest.raises(ApiError, match="no media in the answer"):
        api.media_base64("sales", "A1")


def test_nothing_secret_in_the_log(
    server: RestServer, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """At the most talkative level, no record holds the key, a number or a text."""
    server.answer_sample("POST", SEND, "sendText-v2")

    with caplog.at_level(logging.DEBUG):
        api.send_text("sales", "15550100", "top secret")

    assert caplog.records
    for secret in (KEY, "15550100", "top secret"):
        assert secret not in caplog.text
