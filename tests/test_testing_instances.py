"""The instances of the embedded server: created, connected, listed, deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from evolution_ws.testing import FakeEvolutionServer
from evolution_ws.testing._instances import EVENTS, V1_EVENTS
from evolution_ws.testing.plugin import evolution_server_factory  # noqa: F401 - fixture
from tests.fake_server_tools import RawClient, found, message, rest, told


Factory = Callable[..., FakeEvolutionServer]


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Return a started server with the instance sales."""
    with FakeEvolutionServer(instances="sales") as server:
        yield server


@pytest.fixture
def old(evolution_server_factory: Factory) -> FakeEvolutionServer:  # noqa: F811
    """Return a started server of version 1.8."""
    return evolution_server_factory(instances="sales", v1=True)


def test_create_makes_an_instance_and_its_namespace(evolution_server_factory: Factory) -> None:  # noqa: F811
    """With a websocket setting instance.create is emitted, which makes the namespace."""
    server = evolution_server_factory(global_events=True, lazy=True)
    body = {"instanceName": "new", "token": "t", "number": 5511980000101, "qrcode": True}
    with RawClient(server, "/") as client:
        answer = rest(
            server,
            "POST",
            "/instance/create",
            {**body, "websocket": {"enabled": False, "events": []}},
        )
        assert client.text().startswith('42["instance.create"')

    assert answer.status_code == 201
    assert (
        answer.json()["instance"]["instanceName"],
        answer.json()["instance"]["status"],
    ) == ("new", "connecting")
    assert answer.json()["hash"] == "t"
    assert answer.json()["websocket"] == {"enabled": True, "events": EVENTS}
    assert {"/", "/new"} == server.namespaces


def test_create_without_a_setting_makes_no_namespace(server: FakeEvolutionServer) -> None:
    """The setting is null then."""
    answer = rest(server, "POST", "/instance/create", {"instanceName": "new"})

    assert answer.json()["websocket"] == {}
    assert "/new" not in server.namespaces
    assert rest(server, "GET", "/websocket/find/new").json() is None


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, [['instance requires property "instanceName"']]),
        ({"instanceName": 7}, 400, [["instanceName is not of a type(s) string"]]),
        ({"instanceName": "sales"}, 403, ['This name "sales" is already in use.']),
        ({"instanceName": "new", "integration": "FAX"}, 400, ["Invalid integration"]),
        (
            {"instanceName": "new", "websocket": {"enabled": True}},
            400,
            ["Cannot read properties of undefined (reading 'length')"],
        ),
    ],
    ids=["no-name", "number", "taken", "integration", "no-events"],
)
def test_create_refuses_what_the_server_refuses(
    server: FakeEvolutionServer, body: object, status: int, said: object
) -> None:
    """Status and words are those of a real server, and no instance is left behind."""
    assert (status, said) == told(rest(server, "POST", "/instance/create", body))
    assert list(server.instances) == ["sales"]


@pytest.mark.parametrize("events", [["CALL"], None], ids=["some", "all"])
def test_version_1_creates_with_other_names(
    old: FakeEvolutionServer, events: list[str] | None
) -> None:
    """The setting is spread over two keys, and the token is an object."""
    body = {"instanceName": "new", "websocket_enabled": True, "websocket_events": events}

    answer = rest(old, "POST", "/instance/create", body).json()

    assert {"apikey": old.instances["new"].token} == answer["hash"]
    assert (events or V1_EVENTS) == answer["websocket"]["events"]


def test_delete_says_goodbye_and_leaves_the_namespace(server: FakeEvolutionServer) -> None:
    """Two events are sent, the second one without data; clients stay connected."""
    server.emit("messages.upsert", message(1))
    with RawClient(server, "/sales") as client:
        answer = rest(server, "DELETE", "/instance/delete/sales")
        events = [client.text(), client.text()]
        again = server.add_instance("sales")
        server.emit("call", 1)
        assert client.text().startswith('42/sales,["call"')

    assert answer.json()["status"] == "SUCCESS"
    assert [text[11:26] for text in events] == ["instance.delete", "remove.instance"]
    assert '"data":null' in events[1]
    assert found(server) == []
    assert again is server.instances["sales"]


def test_connect_starts_an_instance_that_is_closed(server: FakeEvolutionServer) -> None:
    """An open one only tells its state; a closed one emits connecting."""
    opened = rest(server, "GET", "/instance/connect/sales").json()
    server.instances["sales"].state = "close"
    with RawClient(server, "/sales") as client:
        code = rest(server, "GET", "/instance/connect/sales").json()
        assert '"state":"connecting"' in client.text()

    assert opened == {"instance": {"instanceName": "sales", "state": "open"}}
    assert {"pairingCode", "code", "base64", "count"} == set(code)
    assert server.instances["sales"].state == "connecting"


def test_fetch_instances_shows_what_the_key_allows(evolution_server_factory: Factory) -> None:  # noqa: F811
    """The global key sees all, a token its own; names and ids filter."""
    server = evolution_server_factory(instances=("sales", "other"), api_key="global-key")
    server.emit("messages.upsert", message(1))
    token = server.instances["sales"].token
    path = "/instance/fetchInstances"

    def names(query: str, key: str) -> list[str]:
        return [row["name"] for row in rest(server, "GET", path + query, key=key).json()]

    assert names("", "global-key") == ["sales", "other"]
    assert names("?instanceName=other", "global-key") == ["other"]
    assert names(f"?instanceId={server.instances['sales'].id}", "global-key") == ["sales"]
    assert names("?number=55", "global-key") == []
    assert names("", token) == ["sales"]
    unknown = rest(server, "GET", f"{path}?instanceName=nope", key="global-key")
    assert told(unknown) == (404, ['Instance "nope" not found'])
    assert rest(server, "GET", f"{path}?instanceName=other", key=token).status_code == 401
    assert rest(server, "GET", path).status_code == 401
    row = rest(server, "GET", path, key=token).json()[0]
    assert (1, True, token) == (row["_count"]["Message"], row["Websocket"]["enabled"], row["token"])


def test_version_1_fetches_other_rows(old: FakeEvolutionServer) -> None:
    """A list of wrapped rows, or a single one when asked by name."""
    path = "/instance/fetchInstances"

    everything = rest(old, "GET", path).json()
    single = rest(old, "GET", f"{path}?instanceName=sales").json()

    assert [single] == everything
    assert single["instance"]["instanceName"] == "sales"
