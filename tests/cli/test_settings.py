"""The settings of instances on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from evolution_ws.testing import FakeEvolutionServer
from tests.cli.tools import Done, run


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Run a server with two instances, one of which selects calls alone."""
    with FakeEvolutionServer(instances=("sales", "support")) as server:
        server.instances["sales"].set_websocket(True, ["CALL"])
        server.instances["support"].websocket = None
        yield server


def settings(server: FakeEvolutionServer, *argv: str, instance: str = "sales") -> Done:
    """Run the command for an instance."""
    return run("settings", *argv, "--url", server.url, "-i", instance)


def stored(server: FakeEvolutionServer) -> list[str]:
    """Return what the server has stored for the instance."""
    setting = server.instances["sales"].websocket
    assert setting is not None
    return setting.events if setting.enabled else ["off"]


def test_get_shows_state_and_events(server: FakeEvolutionServer) -> None:
    """Each instance that was named is shown, for people and as JSON."""
    plain = settings(server, "get", instance="sales,support")
    document = settings(server, "get", "--json", instance="sales,support")

    assert plain.lines == ["sales: on", "  CALL", "support: never set"]
    assert [json.loads(line) for line in document.lines] == [
        {"instance": "sales", "websocket": {"enabled": True, "events": ["CALL"]}},
        {"instance": "support", "websocket": None},
    ]


@pytest.mark.parametrize(
    ("arguments", "events"),
    [
        (["messages.upsert", "messages-delete"], ["MESSAGES_UPSERT", "MESSAGES_DELETE"]),
        (["messages.upsert,call", "--add"], ["CALL", "MESSAGES_UPSERT"]),
        (["--off"], ["off"]),
    ],
    ids=["replace", "add", "off"],
)
def test_set_changes_what_is_stored(
    server: FakeEvolutionServer, arguments: list[str], events: list[str]
) -> None:
    """Events are replaced, added or switched off."""
    done = settings(server, "set", *arguments)

    assert done.code == 0
    assert events == stored(server)


def test_set_all(server: FakeEvolutionServer) -> None:
    """--all selects what the server knows."""
    done = settings(server, "set", "--all")

    assert len(stored(server)) == 31
    assert "  MESSAGES_UPSERT" in done.lines


def test_set_add_tells_what_was_missing(server: FakeEvolutionServer) -> None:
    """Adding what is there already changes nothing and says so."""
    assert settings(server, "set", "--add", "call").out == "sales: added nothing\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["set"], "name events"), (["set", "call", "--off"], "name events"), (["get"], "--instance")],
    ids=["nothing", "both", "no-instance"],
)
def test_usage_errors(server: FakeEvolutionServer, arguments: list[str], said: str) -> None:
    """What is contradictory or incomplete changes nothing."""
    done = settings(server, *arguments, instance="" if arguments == ["get"] else "sales")

    assert done.code == 2
    assert said in done.err
    assert stored(server) == ["CALL"]


def test_websocket_off(server: FakeEvolutionServer) -> None:
    """A server without websockets stores nothing, and that is said."""
    server.websocket_enabled = False

    done = settings(server, "set", "call")

    assert done.code == 4
    assert "WEBSOCKET_ENABLED" in done.err
