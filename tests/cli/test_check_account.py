"""The checks of key, instances and settings, where REST is in the way."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from evolution_ws.testing import FakeEvolutionServer
from tests.cli.doctoring import KEY, OTHER_KEY, diagnose
from tests.cli.listeners import canned, http


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Run a server with one instance and a key."""
    with FakeEvolutionServer(instances=("sales",), api_key=KEY) as server:
        yield server


def answers(**routes: bytes) -> dict[str, bytes]:
    """Return what a server without a socket answers, with *routes* by the name of their path."""
    paths = {"listing": "GET /instance/fetch", "state": "GET /instance/conn", "found": "GET /web"}
    welcome = http("200 OK", '{"version": "2.3.7"}')
    return {"GET / ": welcome, **{paths[name]: answer for name, answer in routes.items()}}


UNAUTHORIZED = http("401 Unauthorized", '{"response": {"message": "Unauthorized"}}')
OPEN = http("200 OK", '{"instance": {"instanceName": "sales", "state": "open"}}')
STORED = http("200 OK", json.dumps({"enabled": True, "events": ["MESSAGES_UPSERT"]}))


def test_token_that_may_not_list() -> None:
    """A key that may ask about its instance and not list them is the instance's token."""
    with canned(answers(listing=UNAUTHORIZED, state=OPEN, found=STORED)) as url:
        found = diagnose(url, "--api-key", KEY)

    assert found.of("key")["status"] == "ok"
    assert found.of("settings")["status"] == "ok"


@pytest.mark.parametrize("key", [None, OTHER_KEY], ids=["none", "wrong"])
def test_key_that_opens_nothing(key: str | None) -> None:
    """A key that neither socket nor REST takes is a failure of its own."""
    with canned(answers(listing=UNAUTHORIZED, state=UNAUTHORIZED, found=UNAUTHORIZED)) as url:
        found = diagnose(url, *(["--api-key", key] if key else []))

    assert found.of("key")["status"] == "failure"
    assert not {"instance", "settings"} & found.statuses().keys()


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        (http("503 Busy", '{"code": "LICENSE_REQUIRED", "message": "license"}'), "license"),
        (http("200 OK", "<title>Manager</title>"), "cannot be listed"),
    ],
    ids=["licence", "page"],
)
def test_rest_that_is_not_passed_on(listing: bytes, said: str) -> None:
    """REST that answers something else is a warning with its words."""
    with canned(answers(listing=listing, state=OPEN, found=STORED)) as url:
        found = diagnose(url, "--api-key", KEY).of("key")

    assert found["status"] == "warning"
    assert said in found["evidence"]


def test_instance_that_is_not_loaded() -> None:
    """An instance without a state is one that the server has not loaded."""
    state = http("200 OK", '{"instance": {"instanceName": "sales"}}')
    with canned(answers(listing=http("200 OK", "[]"), state=state, found=STORED)) as url:
        found = diagnose(url, "--api-key", KEY).of("instance")

    assert "not loaded" in found["evidence"]


@pytest.mark.parametrize(
    ("instances", "name", "advice"),
    [
        (("sales",), "SALES", "Did you mean sales?"),
        (("sales",), "salles", "Did you mean sales?"),
        (("sales",), "xyz", "The key sees sales"),
        ((), "sales", "Check the spelling"),
    ],
    ids=["capitals", "spelling", "other", "none"],
)
def test_instance_that_does_not_exist(
    server: FakeEvolutionServer, instances: tuple[str, ...], name: str, advice: str
) -> None:
    """The nearest name, or all of them, are suggested."""
    if not instances:
        server.instances.clear()

    found = diagnose(server.url, "--api-key", KEY, instance=name).of("instance")

    assert found["status"] == "failure"
    assert advice in found["remedy"]


def test_no_instance_at_all(server: FakeEvolutionServer) -> None:
    """Asked for all instances, a server without any is told."""
    server.instances.clear()

    found = diagnose(server.url, "--api-key", KEY, instance="*").of("instance")

    assert "none to be seen" in found["evidence"]


def test_websocket_off_is_seen_over_rest() -> None:
    """The empty answer that REST gives for the settings is understood."""
    with canned(answers(listing=http("200 OK", "[]"), state=OPEN, found=http("200 OK"))) as url:
        found = diagnose(url, "--api-key", KEY)

    assert found.cause[0] == "socket"
    assert "WEBSOCKET_ENABLED" in found.of("settings")["remedy"]


def test_fix_that_fails() -> None:
    """Settings that cannot be changed are a failure, with the server's words."""
    refusal = http("500 Error", '{"response": {"message": "database"}}')
    routes = answers(listing=http("200 OK", "[]"), state=OPEN, found=http("200 OK", "null"))
    with canned({**routes, "POST /websocket/set": refusal}) as url:
        found = diagnose(url, "--api-key", KEY, "--fix", "--yes")

    assert found.of("fix")["status"] == "failure"
    assert "database" in found.of("fix")["evidence"]
