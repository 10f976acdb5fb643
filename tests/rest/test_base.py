"""The calls of the REST companion that concern the server as a whole."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from evolution_ws.exceptions import ApiError, ClientClosed, ConfigError
from evolution_ws.rest import Api
from tests.rest.rest_server import KEY, RestServer


STATE = "/instance/connectionState/sales"


@pytest.fixture
def api(server: RestServer) -> Iterator[Api]:
    """Return a client of the server."""
    with Api(server.url, KEY, timeout=20) as api:
        yield api


def unused_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("sample", "version", "client_name", "is_v1"),
    [
        pytest.param("root-v2", "2.3.7", "evolution_exchange", False, id="v2"),
        pytest.param("root-v1.8", "1.8.6", None, True, id="v1"),
    ],
)
def test_server_info(
    server: RestServer, api: Api, sample: str, version: str, client_name: str | None, is_v1: bool
) -> None:
    """The server's version and name are returned."""
    server.answer_sample("GET", "/", sample)

    info = api.server_info()

    assert (info.version, info.client_name, info.is_v1) == (version, client_name, is_v1)
    assert info.raw["status"] == 200


@pytest.mark.parametrize("value", [None, [], {"version": 2}], ids=["null", "list", "number"])
def test_server_info_of_another_program(server: RestServer, api: Api, value: Any) -> None:
    """What names no version is no Evolution API."""
    server.answer("GET", "/", value)

    with pytest.raises(ApiError, match="names no version") as caught:
        api.server_info()
    assert "Does the URL lead to Evolution API?" in caught.value.hint


def test_instances(server: RestServer, api: Api) -> None:
    """Instances of version 2 come with their stored setting, and without their token."""
    server.answer_sample("GET", "/instance/fetchInstances", "fetchInstances-v2")

    (info,) = api.instances()

    assert (info.name, info.state, info.integration) == ("loja-centro", "open", "WHATSAPP-BAILEYS")
    assert (info.owner, info.profile_name) == ("5511990000001@s.whatsapp.net", "Loja Centro")
    assert info.websocket is not None
    assert info.websocket.events == ("MESSAGES_UPSERT", "CONNECTION_UPDATE")
    assert info.raw["token"] == "FAKE-INSTANCE-TOKEN"
    assert "FAKE-INSTANCE-TOKEN" not in repr(info)
    assert "5511990000001" not in repr(info)


@pytest.mark.parametrize("is_list", [True, False], ids=["list", "object"])
def test_instances_v1(server: RestServer, api: Api, is_list: bool) -> None:
    """Version 1 wraps each instance, and sends a single one without a list."""
    row = {"instance": {"instanceName": "clinic", "owner": "1@s.whatsapp.net", "status": "close"}}
    server.answer("GET", "/instance/fetchInstances", [row, "garbage"] if is_list else row)

    (info,) = api.instances()

    assert (info.name, info.state, info.websocket) == ("clinic", "close", None)
    assert (info.profile_name, info.integration) == (None, None)


@pytest.mark.parametrize(
    ("value", "state"),
    [
        pytest.param({"instance": {"instanceName": "sales", "state": "open"}}, "open", id="open"),
        pytest.param({"instance": {"instanceName": "sales"}}, None, id="not loaded"),
        pytest.param({"instance": {"state": 3}}, None, id="number"),
        pytest.param({"instance": None}, None, id="null"),
        pytest.param([], None, id="list"),
    ],
)
def test_connection_state(server: RestServer, api: Api, value: Any, state: str | None) -> None:
    """The state is returned, None while there is none."""
    server.answer("GET", STATE, value)

    assert api.connection_state("sales") == state


def test_instance_names_are_encoded_in_full(server: RestServer, api: Api) -> None:
    """A name stays one segment of the path, whatever it holds."""
    path = "/instance/connectionState/a%2Fb%20c%2B%3F%C3%A7"
    server.answer("GET", path, {"instance": {"state": "open"}})

    assert api.connection_state("a/b c+?ç") == "open"
    assert server.seen[0].query == ""


@pytest.mark.parametrize("name", ["", ".", "..", None], ids=["empty", "dot", "dots", "none"])
def test_impossible_instance_name(server: RestServer, api: Api, name: Any) -> None:
    """A name that would lead to another route is refused."""
    with pytest.raises(ConfigError, match="no name of an instance"):
        api.connection_state(name)
    assert server.seen == []


def test_key_is_read_per_request(server: RestServer) -> None:
    """A callable gives the key anew for each request."""
    server.answer("GET", STATE, {})
    keys = iter(["first", "second", None])

    with Api(server.url, lambda: next(keys)) as api:
        for _ in range(3):
            api.connection_state("sales")

    assert [seen.headers.get("apikey") for seen in server.seen] == ["first", "second", None]


def test_key_in_the_url(server: RestServer) -> None:
    """A key in the URL is sent as a header, and is not part of what is shown."""
    server.answer("GET", "/prefix" + STATE, {})

    with Api(f"{server.url}/prefix/?apikey={KEY}") as api:
        api.connection_state("sales")
        shown = repr(api)

    assert server.seen[0].headers["apikey"] == KEY
    assert server.seen[0].query == ""
    assert shown == f"Api('{server.url}/prefix')"


def test_headers(server: RestServer) -> None:
    """Further headers and the origin are sent."""
    server.answer("GET", STATE, {})

    with Api(server.url, origin="https://crm.example.test", headers={"X-Tenant": "a"}) as api:
        api.connection_state("sales")

    headers = server.seen[0].headers
    assert (headers["origin"], headers["x-tenant"]) == ("https://crm.example.test", "a")
    assert headers["user-agent"].startswith("evolution-ws/")
    assert "apikey" not in headers


@pytest.mark.parametrize("key", ["naïve", "a\nb", 7], ids=["not ASCII", "newline", "number"])
def test_impossible_key(server: RestServer, key: Any) -> None:
    """A key that no header can carry is refused, and not shown."""
    with Api(server.url, key) as api, pytest.raises(ConfigError) as caught:
        api.connection_state("sales")

    assert str(key) not in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"url": "ftp://x"}, id="scheme"),
        pytest.param({"headers": {"X": "a\r\nb"}}, id="header"),
        pytest.param({"timeout": 0}, id="no time"),
        pytest.param({"timeout": float("inf")}, id="for ever"),
        pytest.param({"timeout": float("nan")}, id="nan"),
        pytest.param({"url": "https://x.test", "verify": "/no/such/file"}, id="authorities"),
        pytest.param({"url": "https://x.test", "cert": "/no/such/file"}, id="certificate"),
    ],
)
def test_impossible_arguments(arguments: dict[str, Any]) -> None:
    """What cannot work is refused at once."""
    with pytest.raises(ConfigError):
        Api(**{"url": "http://127.0.0.1:1", **arguments})


@pytest.mark.parametrize("path", ["/group/x", "group/x"], ids=["slash", "none"])
def test_request(server: RestServer, api: Api, path: str) -> None:
    """Any route can be asked, with a body and a query."""
    server.answer("POST", "/group/x", {"a": 1}, 201)

    value = api.request("post", path, {"b": 2}, {"c": "3"}, timeout=5)

    assert value == {"a": 1}
    assert (server.seen[0].body, server.seen[0].query) == ({"b": 2}, "c=3")


def test_request_with_an_empty_answer(server: RestServer, api: Api) -> None:
    """An empty body is None."""
    server.answer("DELETE", "/x", raw=b"", status=204)

    assert api.request("DELETE", "/x") is None


def test_request_stays_on_its_server(server: RestServer, api: Api) -> None:
    """No path leads the key to another host."""
    with pytest.raises(ApiError) as caught:
        api.request("POST", f"@127.0.0.2:{server.port}/x")

    assert caught.value.status == 599
    assert server.seen[0].path == f"/@127.0.0.2:{server.port}/x"


def test_request_that_json_cannot_carry(api: Api) -> None:
    """A number that JSON has no word for is refused."""
    with pytest.raises(ConfigError, match="InvalidJSONError"):
        api.request("POST", "/x", {"a": float("nan")})


def test_error_names_the_request(server: RestServer, api: Api) -> None:
    """An error says what was asked, and has nothing of requests about it."""
    server.answer_sample("GET", STATE, "error-401")

    with pytest.raises(ApiError) as caught:
        api.connection_state("sales")

    assert str(caught.value).endswith(f"another instance [GET {server.url}{STATE}]")
    assert caught.value.__cause__ is None


def test_no_server() -> None:
    """Without a server the status is 0."""
    with Api(f"http://127.0.0.1:{unused_port()}") as api, pytest.raises(ApiError) as caught:
        api.request("POST", "/x")

    assert (caught.value.status, caught.value.messages) == (0, ("the connection was refused",))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_closed(server: RestServer) -> None:
    """A closed client says so; closing it twice does nothing."""
    with Api(server.url) as api:
        api.close()

    with pytest.raises(ClientClosed, match="closed"):
        api.server_info()
    assert server.seen == []


@pytest.mark.parametrize(
    ("status", "raw"),
    [(200, b"<html>Manager</html>"), (404, b"{}"), (200, b"{}")],
    ids=["page", "not found", "no version"],
)
def test_version_hidden_by_a_proxy(
    server: RestServer, api: Api, caplog: pytest.LogCaptureFixture, status: int, raw: bytes
) -> None:
    """A server that does not tell its version is taken for version 2, once."""
    server.answer("GET", "/", status=status, raw=raw)
    server.answer("POST", "/message/sendText/sales", {})

    with caplog.at_level("INFO"):
        api.send_text("sales", "15550100", "hi")
        api.send_text("sales", "15550100", "hi")

    assert server.seen[1].body == {"number": "15550100", "text": "hi"}
    assert len(server.requests("/")) == 1
    assert "taking it for version 2" in caplog.text


def test_version_that_takes_too_long(
    server: RestServer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that cannot reach WhatsApp's site does not hold up other calls."""
    monkeypatch.setattr("evolution_ws._rest_base._VERSION_TIMEOUT", 0.1)
    gate = threading.Event()
    server.answer("GET", "/", gate=gate)
    server.answer("POST", "/message/sendText/sales", {})

    api.send_text("sales", "15550100", "hi")

    gate.set()
    assert len(server.requests("/message/sendText/sales")) == 1


def test_version_of_a_failing_server(server: RestServer, api: Api) -> None:
    """A failing server's version is asked again by the next call."""
    server.answer_sample("GET", "/", "error-500-cors")
    server.answer_sample("GET", "/", "root-v1.8")
    server.answer("POST", "/message/sendText/sales", {})

    with pytest.raises(ApiError, match="CORS"):
        api.send_text("sales", "15550100", "hi")
    api.send_text("sales", "15550100", "hi")

    assert "textMessage" in server.seen[-1].body


def test_version_without_a_server() -> None:
    """Without a server no version is guessed."""
    api = Api(f"http://127.0.0.1:{unused_port()}")

    with api, pytest.raises(ApiError, match="refused"):
        api.send_text("sales", "15550100", "hi")
