"""The settings of instances through the REST companion, and all of it with the embedded server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any

import pytest

from evolution_ws.event_types import EventType
from evolution_ws.exceptions import ApiError, ConfigError, WebsocketDisabledError
from evolution_ws.rest import Api, WebsocketSettings
from evolution_ws.testing import FakeEvolutionServer
from tests.rest.rest_server import KEY, RestServer


SET = "/websocket/set/sales"
STORED = "/websocket/find/sales"


class Kind(Enum):
    """An enumeration of events as users may have one."""

    CALL = "call"


def test_get_websocket(server: RestServer, api: Api) -> None:
    """The stored setting is returned."""
    server.answer_sample("GET", STORED, "websocket-find-v2")

    expected = WebsocketSettings(True, ("MESSAGES_UPSERT", "CONNECTION_UPDATE"))
    assert expected == api.get_websocket("sales")


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        pytest.param("websocket-find-never-set", None, id="v2"),
        pytest.param("websocket-find-v1.8-never-set", WebsocketSettings(False, ()), id="v1"),
    ],
)
def test_get_websocket_never_set(
    server: RestServer, api: Api, sample: str, expected: WebsocketSettings | None
) -> None:
    """An instance without a setting is told from one that is switched off."""
    server.answer_sample("GET", STORED, sample)

    assert expected == api.get_websocket("sales")


def test_get_websocket_of_a_server_without_websockets(server: RestServer, api: Api) -> None:
    """An empty answer means that websockets are off on the server."""
    server.answer("GET", STORED, raw=b"")

    with pytest.raises(WebsocketDisabledError, match=f"{server.url}.*WEBSOCKET_ENABLED=true"):
        api.get_websocket("sales")


def test_set_websocket(server: RestServer, api: Api) -> None:
    """Names in any spelling are sent in the form of the settings, each once."""
    server.answer_sample("POST", SET, "websocket-set-v2")

    stored = api.set_websocket(
        "sales", ["messages.upsert", "MESSAGES_UPSERT", "group-participants.update", Kind.CALL]
    )

    sent = ["MESSAGES_UPSERT", "GROUP_PARTICIPANTS_UPDATE", "CALL"]
    assert {"websocket": {"enabled": True, "events": sent}} == server.requests(SET)[0].body
    assert WebsocketSettings(True, ("MESSAGES_UPSERT", "CONNECTION_UPDATE")) == stored


def test_set_websocket_v1(server: RestServer, api_v1: Api) -> None:
    """Version 1 gets, and gives, its own shape, and is asked for its version once."""
    server.answer_sample("POST", SET, "websocket-set-v1.8")

    stored = api_v1.set_websocket("sales", "messages.upsert")
    api_v1.set_websocket("sales", "messages.upsert")

    assert server.requests(SET)[1].body == {"enabled": True, "events": ["MESSAGES_UPSERT"]}
    assert WebsocketSettings(True, ("MESSAGES_UPSERT", "CONNECTION_UPDATE")) == stored
    assert len(server.requests("/")) == 1


@pytest.mark.parametrize(
    ("events", "enabled", "sent"),
    [
        pytest.param(None, True, [], id="all"),
        pytest.param((), True, [], id="empty"),
        pytest.param("*", True, [], id="star"),
        pytest.param(Kind.CALL, True, ["CALL"], id="enum"),
        pytest.param(["call"], False, [], id="off"),
    ],
)
def test_set_websocket_sends_both_keys(
    server: RestServer, api: Api, events: Any, enabled: bool, sent: list[str]
) -> None:
    """Both keys are sent, whatever is asked for."""
    server.answer("POST", SET, {}, 201)

    stored = api.set_websocket("sales", events, enabled=enabled)

    assert {"websocket": {"enabled": enabled, "events": sent}} == server.requests(SET)[0].body
    assert WebsocketSettings(enabled, tuple(sent)) == stored


def test_set_websocket_on_a_server_without_websockets(server: RestServer, api: Api) -> None:
    """An empty answer means that nothing was stored."""
    server.answer_sample("POST", SET, "websocket-set-disabled-on-server")

    with pytest.raises(WebsocketDisabledError):
        api.set_websocket("sales", "call")


def test_set_websocket_leaves_the_undeliverable_out(
    server: RestServer, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """A name that no setting delivers is left out, with a warning."""
    server.answer("POST", SET, {}, 201)

    api.set_websocket("sales", ["groups.update", "call"])

    assert server.requests(SET)[0].body["websocket"]["events"] == ["CALL"]
    assert "global mode" in caplog.text


def test_set_websocket_with_nothing_left(server: RestServer, api: Api) -> None:
    """The empty list that would switch on everything is not sent by accident."""
    with pytest.raises(ConfigError, match="global mode"):
        api.set_websocket("sales", "groups.update")

    assert server.requests(SET) == []


@pytest.mark.parametrize("event", ["", " ", 3], ids=["empty", "blank", "number"])
def test_set_websocket_refuses_what_is_no_name(api: Api, event: Any) -> None:
    """What cannot be a name is not sent."""
    with pytest.raises(ConfigError, match="event's name"):
        api.set_websocket("sales", [event])


def test_ensure_events_adds_what_is_missing(server: RestServer, api: Api) -> None:
    """What was there stays, what is missing is added and returned."""
    server.answer_sample("GET", STORED, "websocket-find-v2")
    server.answer("POST", SET, {}, 201)

    added = api.ensure_events("sales", ["messages.upsert", "call"])

    assert added == ("CALL",)
    sent = ["MESSAGES_UPSERT", "CONNECTION_UPDATE", "CALL"]
    assert {"enabled": True, "events": sent} == server.requests(SET)[0].body["websocket"]


def test_ensure_events_of_all_kinds() -> None:
    """The star switches on whatever the server knows, and nothing is added the second time."""
    with FakeEvolutionServer(instances=("sales",), lazy=True) as fake, Api(fake.url) as client:
        client.set_websocket("sales", ["call"])

        added = client.ensure_events("sales", "*")

        assert {"MESSAGES_UPSERT", "PRESENCE_UPDATE"} <= set(added)
        assert "CALL" not in added
        assert client.ensure_events("sales", "*") == ()


@pytest.mark.parametrize(
    "events", [["connection.update"], ["groups.update"]], ids=["there", "undeliverable"]
)
def test_ensure_events_with_nothing_missing(
    server: RestServer, api: Api, events: list[str]
) -> None:
    """Nothing is sent when there is nothing to add."""
    server.answer_sample("GET", STORED, "websocket-find-v2")

    assert api.ensure_events("sales", events) == ()
    assert server.requests(SET) == []


@pytest.mark.parametrize(
    "stored",
    [None, {"enabled": False, "events": ["CALL"]}],
    ids=["never set", "switched off"],
)
def test_ensure_events_switches_on(server: RestServer, api: Api, stored: Any) -> None:
    """An instance whose websocket is off gets it on, with the wanted events alone."""
    server.answer("GET", STORED, stored)
    server.answer("POST", SET, {}, 201)

    assert api.ensure_events("sales", ["call"]) == ("CALL",)
    assert server.requests(SET)[0].body["websocket"] == {"enabled": True, "events": ["CALL"]}


@pytest.fixture(params=[False, True], ids=["v2", "v1"])
def fake(request: pytest.FixtureRequest) -> Iterator[FakeEvolutionServer]:
    """Run an embedded server of either version."""
    options: dict[str, Any] = {"v1": request.param, "api_key": KEY, "instances": ("sales", "a/b c")}
    with FakeEvolutionServer(**options) as fake:
        yield fake


@pytest.fixture
def client(fake: FakeEvolutionServer) -> Iterator[Api]:
    """Return a client of the embedded server."""
    with Api(fake.url, KEY, timeout=20) as api:
        yield api


def test_embedded_server(fake: FakeEvolutionServer, client: Api) -> None:
    """The server and its instances are seen, whatever their names."""
    assert client.server_info().is_v1 is fake.v1
    assert {info.name for info in client.instances()} == {"sales", "a/b c"}
    assert client.connection_state("a/b c") == "open"


def test_embedded_settings(client: Api) -> None:
    """What is set is what is stored, and what is missing is added."""
    client.set_websocket("a/b c", [EventType.CALL])

    assert client.get_websocket("a/b c") == WebsocketSettings(True, ("CALL",))
    assert client.ensure_events("a/b c", ["call", "messages.upsert"]) == ("MESSAGES_UPSERT",)
    assert client.ensure_events("a/b c", ["call", "messages.upsert"]) == ()
    assert client.get_websocket("a/b c") == WebsocketSettings(True, ("CALL", "MESSAGES_UPSERT"))


def test_embedded_settings_switched_off(client: Api) -> None:
    """A setting that is off is switched on by what is wanted."""
    assert client.set_websocket("sales", enabled=False) == WebsocketSettings(False, ())

    assert client.ensure_events("sales", ["call"]) == ("CALL",)
    assert client.get_websocket("sales") == WebsocketSettings(True, ("CALL",))


def test_embedded_server_without_websockets() -> None:
    """A server whose websocket is off says so to every question about it."""
    with FakeEvolutionServer(websocket_enabled=False) as fake, Api(fake.url) as api:
        for ask in (api.get_websocket, api.set_websocket):
            with pytest.raises(WebsocketDisabledError):
                ask("test")
        with pytest.raises(WebsocketDisabledError):
            api.ensure_events("test", ["call"])


def test_embedded_history(fake: FakeEvolutionServer, client: Api) -> None:
    """Stored messages are found, oldest first, be they more than a page."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    for index in range(7):
        at = int((now - timedelta(seconds=10 * index)).timestamp())
        key = {"id": f"M{index}", "remoteJid": "15550100@s.whatsapp.net", "fromMe": False}
        fake.emit("messages.upsert", {"key": key, "messageTimestamp": at}, instance="sales")

    found = client.find_messages("sales", now - timedelta(seconds=45), now, page_size=2)
    one = client.find_messages("sales", now - timedelta(days=1), now, message_id="M6")
    chat = client.find_messages("sales", now - timedelta(days=1), now, remote_jid="15550100")

    assert [row["key"]["id"] for row in found] == ["M4", "M3", "M2", "M1", "M0"]
    assert [row["key"]["id"] for row in one] == ["M6"]
    assert len(chat) == 7


def test_embedded_messages(fake: FakeEvolutionServer, client: Api) -> None:
    """A text is sent, and the media of a message fetched."""
    fake.media["IMG"] = b"\x89PNG"
    data = {"key": {"id": "IMG", "remoteJid": "1@s.whatsapp.net"}, "message": {"imageMessage": {}}}
    event = fake.emit("messages.upsert", data, instance="sales")

    sent = client.send_text("sales", "15550100", "hi", quoted=event["data"])

    assert sent["key"]["fromMe"] is True
    assert client.media_base64("sales", "IMG") == b"\x89PNG"


@pytest.mark.parametrize(
    ("key", "instance", "status"), [("wrong", "sales", 401), (KEY, "nobody", 404)]
)
def test_embedded_refusals(fake: FakeEvolutionServer, key: str, instance: str, status: int) -> None:
    """A wrong key and a wrong name are told apart."""
    with Api(fake.url, key) as api, pytest.raises(ApiError) as caught:
        api.connection_state(instance)
    assert caught.value.status == status
