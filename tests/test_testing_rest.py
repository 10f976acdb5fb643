"""The embedded server's REST side: guards and the websocket setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests

from evolution_ws.testing import FakeEvolutionServer
from evolution_ws.testing._instances import EVENTS, V1_EVENTS
from evolution_ws.testing.plugin import evolution_server_factory  # noqa: F401 - fixture
from tests.fake_server_tools import CEILING, RawClient, rest, told


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


SET = "/websocket/set/sales"


NAMES = ",".join(EVENTS)


def test_root_tells_the_version(server: FakeEvolutionServer, old: FakeEvolutionServer) -> None:
    """Both generations introduce themselves, without a key."""
    new_one, old_one = rest(server, "GET", "/").json(), rest(old, "GET", "/").json()

    assert (new_one["version"], old_one["version"]) == ("2.3.7", "1.8.6")
    assert "clientName" in new_one
    assert "swagger" in old_one


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", SET), ("GET", "/nope"), ("POST", "/websocket/set")],
    ids=["method", "path", "instance"],
)
def test_unknown_route_is_404(server: FakeEvolutionServer, method: str, path: str) -> None:
    """The answer repeats method and path."""
    assert (404, [f"Cannot {method} {path}"]) == told(rest(server, method, path))


def test_keys_are_checked_after_the_instance(evolution_server_factory: Factory) -> None:  # noqa: F811
    """An unknown instance is 404 with any key; otherwise global key or own token."""
    server = evolution_server_factory(instances=("sales", "other"), api_key="global-key")
    token, foreign = (server.instances[name].token for name in ("sales", "other"))
    path = "/instance/connectionState/"

    assert told(rest(server, "GET", f"{path}nope")) == (404, ['The "nope" instance does not exist'])
    for key in (None, "wrong", foreign):
        assert told(rest(server, "GET", f"{path}sales", key=key)) == (401, "Unauthorized")
    for key in ("global-key", token):
        assert rest(server, "GET", f"{path}sales", key=key).status_code == 200
    for key in (token, None):
        assert rest(server, "POST", "/instance/create", {}, key=key).status_code == 401


def test_instance_names_are_percent_decoded(server: FakeEvolutionServer) -> None:
    """Any name can be addressed."""
    server.add_instance("a/ção")

    answer = rest(server, "GET", "/instance/connectionState/a%2F%C3%A7%C3%A3o")

    assert answer.json() == {"instance": {"instanceName": "a/ção", "state": "open"}}


def test_websocket_set_takes_effect_at_once(server: FakeEvolutionServer) -> None:
    """The next event passes the new filter, on a connection that is open already."""
    with RawClient(server, "/sales") as client:
        body = {"websocket": {"enabled": True, "events": ["CALL", "CALL"]}}
        row = rest(server, "POST", SET, body)
        server.emit("presence.update", 1)
        server.emit("call", 2)
        assert client.text().startswith('42/sales,["call"')

    assert row.status_code == 201
    assert (row.json()["enabled"], row.json()["events"]) == (True, ["CALL", "CALL"])
    assert row.json() == rest(server, "GET", "/websocket/find/sales").json()
    assert server.instances["sales"].id == row.json()["instanceId"]


@pytest.mark.parametrize("enabled", [True, False], ids=["on", "off"])
def test_websocket_set_without_names_means_all_or_none(
    server: FakeEvolutionServer, enabled: bool
) -> None:
    """An empty list stores every name; off stores none."""
    body = {"websocket": {"enabled": enabled, "events": []}}

    row = rest(server, "POST", SET, body).json()

    assert (enabled, EVENTS if enabled else []) == (row["enabled"], row["events"])


def test_websocket_set_off_ends_the_events(server: FakeEvolutionServer) -> None:
    """Switched off, also without a list, the instance sends nothing any more."""
    with RawClient(server, "/sales") as client:
        rest(server, "POST", SET, {"websocket": {"enabled": False}})
        server.emit("call", 1)
        rest(server, "POST", SET, {"websocket": {"enabled": True, "events": ["CALL"]}})
        server.emit("call", 2)

        assert '"data":2' in client.text()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (None, 500, "Cannot set properties of undefined (setting 'events')"),
        ([], 500, "Cannot set properties of undefined (setting 'events')"),
        ({"enabled": True}, 500, "Cannot set properties of undefined (setting 'events')"),
        ({"websocket": None}, 400, [["websocket is not of a type(s) object"]]),
        ({"websocket": {"events": []}}, 400, [['websocket requires property "enabled"']]),
        (
            {"websocket": {"enabled": True}},
            500,
            "Cannot read properties of undefined (reading 'length')",
        ),
        (
            {"websocket": {"enabled": "true"}},
            400,
            [[
                "websocket.enabled is not of a type(s) boolean",
                "websocket.enabled is not one of enum values: true,false",
            ]],
        ),
        (
            {"websocket": {"enabled": True, "events": ["CALL", "GROUPS_UPDATE"]}},
            400,
            [[f"websocket.events[1] is not one of enum values: {NAMES}"]],
        ),
        (
            {"websocket": {"enabled": True, "events": "CALL"}},
            400,
            [["websocket.events is not of a type(s) array"]],
        ),
    ],
    ids=["none", "list", "flat", "null", "enabled", "events", "str", "name", "no-list"],
)  # fmt: skip
def test_websocket_set_refuses_what_the_server_refuses(
    server: FakeEvolutionServer, body: object, status: int, said: object
) -> None:
    """Status and words are those of a real server, and nothing changes."""
    assert (status, said) == told(rest(server, "POST", SET, body))
    assert server.instances["sales"].websocket_row()["events"] == EVENTS  # type: ignore[index]


def test_malformed_json_is_400(server: FakeEvolutionServer) -> None:
    """The server calls it an internal error with status 400."""
    answer = requests.post(
        server.url + SET,
        data='{"websocket',
        headers={"Content-Type": "application/json"},
        timeout=CEILING,
    )

    assert told(answer) == (400, "Unexpected end of JSON input")
    assert answer.json()["error"] == "Internal Server Error"


def test_websocket_off_on_the_server_answers_nothing(server: FakeEvolutionServer) -> None:
    """Set and find are successful and empty, and events go nowhere."""
    server.websocket_enabled = False
    body = {"websocket": {"enabled": True, "events": ["CALL"]}}

    answers = [rest(server, "POST", SET, body), rest(server, "GET", "/websocket/find/sales")]
    server.emit("call", 1)

    assert [(one.status_code, one.content) for one in answers] == [(201, b""), (200, b"")]
    assert server.instances["sales"].websocket_row()["events"] == EVENTS  # type: ignore[index]


def test_version_1_has_other_websocket_bodies(old: FakeEvolutionServer) -> None:
    """The body is flat, and so is the answer to find."""
    find = "/websocket/find/sales"
    assert rest(old, "GET", find).json() == {"enabled": True, "events": V1_EVENTS}

    answer = rest(old, "POST", SET, {"enabled": True, "events": ["CALL"]})
    wanted = {"enabled": True, "events": ["CALL"]}
    assert {"instanceName": "sales", "websocket": wanted} == answer.json()["websocket"]
    assert wanted == rest(old, "GET", find).json()

    wrong = rest(old, "POST", SET, {"websocket": {}})
    assert told(wrong) == (400, [['instance requires property "enabled"']])
    unknown = rest(old, "POST", SET, {"enabled": True, "events": ["MESSAGES_EDITED"]})
    assert unknown.status_code == 400
    old.instances["sales"].websocket = None
    assert rest(old, "GET", find).json() == {"enabled": False, "events": []}


def test_newer_version_knows_one_more_event(evolution_server_factory: Factory) -> None:  # noqa: F811
    """Version 2.4 can select the end of the history."""
    server = evolution_server_factory(version="2.4.0-rc2")

    assert "MESSAGING_HISTORY_SET" in server.selectable_events
