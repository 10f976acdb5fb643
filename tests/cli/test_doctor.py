"""Doctor against servers of which one thing each is wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evolution_ws.testing import FakeEvolutionServer, build
from tests.cli.doctoring import KEY, OTHER_KEY, diagnose
from tests.cli.nginx import location, nginx
from tests.cli.tools import Terminal, run
from tests.node_server import NodeServer, require_node


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Run a server with two instances and a key."""
    with FakeEvolutionServer(instances=("sales", "support"), api_key=KEY) as server:
        yield server


@contextmanager
def messages(server: FakeEvolutionServer, instance: str = "sales") -> Iterator[None]:
    """Emit a message of *instance* every few milliseconds."""
    stop = threading.Event()

    def emit() -> None:
        while not stop.wait(0.02):
            server.emit("messages.upsert", build.text("Oi").data, instance=instance)

    thread = threading.Thread(target=emit)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_all_is_well(server: FakeEvolutionServer) -> None:
    """A sound server passes every check, and the code is 0."""
    with messages(server):
        found = diagnose(server.url, "--api-key", KEY, wait=10)

    assert found.code == 0
    assert {
        "url",
        "proxy",
        "tcp",
        "server",
        "socket",
        "key",
        "instance",
        "settings",
        "namespace",
        "global mode",
        "events",
        "clock",
    } == set(found.statuses())
    assert "2.3.7" in found.of("server")["evidence"]
    assert "global key, which sees 2" in found.of("key")["evidence"]
    assert "off" in found.of("global mode")["evidence"]
    assert "messages.upsert" in found.of("events")["evidence"]


def test_nobody_listens() -> None:
    """A closed port ends the diagnosis there."""
    found = diagnose("http://127.0.0.1:1")

    check, evidence, remedy = found.cause
    assert (found.code, check) == (2, "tcp")
    assert "refused" in evidence
    assert "start the server" in remedy


def test_unknown_host() -> None:
    """A name that does not resolve is told from a server that is down."""
    check, evidence, _ = diagnose("http://nowhere.invalid").cause

    assert check == "dns"
    assert "nowhere.invalid" in evidence


@pytest.mark.parametrize(
    ("options", "arguments", "check", "said", "advice"),
    [
        ({}, [], "socket", "apiKey is required", "EVOLUTION_API_KEY"),
        ({}, ["--api-key", OTHER_KEY], "socket", "the key is wrong", "AUTHENTICATION_API_KEY"),
        ({"websocket_enabled": False}, ["--api-key", KEY], "socket", "404", "WEBSOCKET_ENABLED"),
    ],
    ids=["no-key", "wrong-key", "websocket-off"],
)
def test_misconfigured_socket(
    server: FakeEvolutionServer,
    options: dict[str, object],
    arguments: list[str],
    check: str,
    said: str,
    advice: str,
) -> None:
    """Each refusal of the handshake has its own cause and remedy."""
    for name, value in options.items():
        setattr(server, name, value)

    found = diagnose(server.url, *arguments)

    assert (found.code, found.cause[0]) == (2, check)
    assert said in found.cause[1]
    assert advice in found.cause[2]


def test_wrong_instance_name(server: FakeEvolutionServer) -> None:
    """A name that differs in its capitals is found, and the right one suggested."""
    found = diagnose(server.url, "--api-key", KEY, instance="Sales")

    assert found.cause[0] == "instance"
    assert "does not exist" in found.cause[1]
    assert "Did you mean sales?" in found.cause[2]
    assert "correct the name" in found.of("namespace")["remedy"]


@pytest.mark.parametrize(
    ("state", "status", "advice"),
    [("close", "failure", "scan its code"), ("connecting", "warning", "Scan its code")],
    ids=["closed", "connecting"],
)
def test_instance_without_whatsapp(
    server: FakeEvolutionServer, state: str, status: str, advice: str
) -> None:
    """An instance that is not connected to WhatsApp is named as the cause."""
    server.instances["sales"].state = state

    found = diagnose(server.url, "--api-key", KEY).of("instance")

    assert found["status"] == status
    assert state in found["evidence"]
    assert advice in found["remedy"]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (None, "never set"),
        ((False, []), "is off"),
        ((True, ["CALL"]), "MESSAGES_UPSERT is not sent"),
    ],
    ids=["never-set", "off", "not-listed"],
)
def test_settings_that_do_not_select(
    server: FakeEvolutionServer, setting: tuple[bool, list[str]] | None, said: str
) -> None:
    """Wanted events that the settings do not select are the cause; --fix selects them."""
    if setting is None:
        server.instances["sales"].websocket = None
    else:
        server.instances["sales"].set_websocket(*setting)

    found = diagnose(server.url, "--api-key", KEY)
    fixed = diagnose(server.url, "--api-key", KEY, "--fix", "--yes")

    assert found.cause[0] == "settings"
    assert said in found.cause[1]
    assert "--fix" in found.cause[2]
    assert "MESSAGES_UPSERT" in fixed.of("fix")["evidence"]
    assert fixed.of("settings")["status"] == "ok"
    stored = server.instances["sales"].websocket
    assert stored is not None
    assert set(setting[1] if setting else []) | {"MESSAGES_UPSERT"} == set(stored.events)


def test_fix_asks_first(server: FakeEvolutionServer) -> None:
    """At a terminal --fix asks; no leaves everything as it was."""
    server.instances["sales"].set_websocket(True, ["CALL"])
    arguments = ["doctor", "--url", server.url, "-i", "sales", "--fix", "--wait", "0"]

    with Terminal(*arguments, EVOLUTION_API_KEY=KEY) as terminal:
        terminal.wait_for("Switch on MESSAGES_UPSERT for sales?")
        terminal.keys("n\n")
        done = terminal.wait()

    stored = server.instances["sales"].websocket
    assert stored is not None
    assert (done.code, stored.events) == (2, ["CALL"])

    with Terminal(*arguments, EVOLUTION_API_KEY=KEY) as terminal:
        terminal.wait_for("Switch on MESSAGES_UPSERT for sales?")
        terminal.keys("y\n")
        done = terminal.wait()

    assert stored.events == ["CALL", "MESSAGES_UPSERT"]
    assert "switched on MESSAGES_UPSERT" in done.out


def test_fix_without_a_terminal_changes_nothing(server: FakeEvolutionServer) -> None:
    """Nobody to ask means no."""
    server.instances["sales"].set_websocket(True, ["CALL"])

    found = diagnose(server.url, "--api-key", KEY, "--fix")

    assert found.cause[0] == "settings"
    assert "fix" not in found.statuses()


def test_groups_update_misfit(server: FakeEvolutionServer) -> None:
    """An event that no setting can select is explained, and in global mode is not complained of."""
    found = diagnose(server.url, "--api-key", KEY, "--events", "GROUPS_UPDATE")
    server.global_events = True
    with messages(server):
        sound = diagnose(server.url, "--api-key", KEY, "--events", "groups.update", wait=0.5)

    misfit = next(one for one in found.findings if "GROUP_UPDATE" in one["evidence"])
    assert misfit["status"] == "warning"
    assert "global mode" in misfit["remedy"]
    assert "on:" in sound.of("global mode")["evidence"]
    assert sound.of("settings")["status"] == "ok"


def test_global_mode_needs_no_settings(server: FakeEvolutionServer) -> None:
    """What the settings lack does not matter where everything comes on the root."""
    server.global_events = True
    server.instances["sales"].websocket = None
    with messages(server):
        found = diagnose(server.url, "--api-key", KEY, wait=10)

    assert found.code == 0
    assert "global mode sends everything" in found.of("settings")["evidence"]


@pytest.mark.parametrize(
    ("owner", "status", "said"),
    [
        ("sales", "ok", "token of the instance sales"),
        ("support", "warning", "another instance, support"),
    ],
    ids=["own", "another"],
)
def test_kind_of_key(server: FakeEvolutionServer, owner: str, status: str, said: str) -> None:
    """A token is recognised as that of this instance or of another one."""
    token = server.instances[owner].token

    found = diagnose(server.url, "--api-key", token)

    assert status == found.of("key")["status"]
    assert said in found.of("key")["evidence"]
    assert token not in str(found.findings)


@pytest.mark.parametrize("key", [None, OTHER_KEY], ids=["none", "wrong"])
def test_exempt_address(server: FakeEvolutionServer, key: str | None) -> None:
    """Where the socket asks this address for no key, REST still does, and that is said."""
    server.allowed_hosts = ("127.0.0.1",)

    found = diagnose(server.url, *(["--api-key", key] if key else []))

    assert found.of("socket")["status"] == "ok"
    assert found.of("key")["status"] == "warning"
    assert "socket" in found.of("key")["evidence"]


def test_pending_namespace(server: FakeEvolutionServer) -> None:
    """A namespace that the server has not made yet is explained, and no failure."""
    with FakeEvolutionServer(instances=("sales",), lazy=True) as lazy:
        found = diagnose(lazy.url)

    assert found.code == 1
    assert "first selected event" in found.of("namespace")["evidence"]


def test_all_instances(server: FakeEvolutionServer) -> None:
    """Without names every instance is looked at, and global mode is asked for."""
    found = diagnose(server.url, "--api-key", KEY, instance="*")

    names = [one["evidence"].split()[0] for one in found.findings if one["check"] == "instance"]
    assert names == ["sales", "support"]
    assert "WEBSOCKET_GLOBAL_EVENTS" in found.of("global mode")["remedy"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "UTC-3 h"), (["--events", "call"], "but no call")],
    ids=["zone", "other-events"],
)
def test_events_that_were_seen(
    server: FakeEvolutionServer, arguments: list[str], said: str
) -> None:
    """The events tell the server's time zone; kinds that did not come are named."""
    server.utc_offset = -3 * 3600
    with messages(server):
        found = diagnose(server.url, "--api-key", KEY, *arguments, wait=0.5)

    assert any(said in one["evidence"] for one in found.findings)


@pytest.mark.parametrize("version", ["1.8.6", "2.2.3", "2.4.0"])
def test_server_versions(version: str) -> None:
    """Servers of other versions are examined as well."""
    with FakeEvolutionServer(
        instances=("sales",), v1=version.startswith("1"), version=version
    ) as server:
        found = diagnose(server.url)

    assert version in found.of("server")["evidence"]
    assert not found.has_failed


def test_path_that_names_the_instance(server: FakeEvolutionServer) -> None:
    """Evolution's own kind of URL works; with https:// the mistake is explained."""
    websocket_url = server.url.replace("http", "ws") + "/sales"

    done = run("doctor", "--url", websocket_url, "--wait", "0", "--api-key", KEY)
    found = diagnose(f"{server.url}/sales", "--api-key", KEY)

    assert done.code == 0, done.out
    assert found.cause[0] == "server"
    assert "answers at the root" in found.cause[1]
    assert "--instance sales" in found.cause[2]


@pytest.mark.parametrize(
    ("upgrade", "code", "said"),
    [(True, 1, ""), (False, 2, "drops the Upgrade header")],
    ids=["with", "without"],
)
def test_behind_nginx(
    server: FakeEvolutionServer, tmp_path: Path, upgrade: bool, code: int, said: str
) -> None:
    """A proxy that drops the Upgrade header is told from a server without websocket."""
    with nginx(tmp_path, location(server.url, upgrade=upgrade)) as url:
        found = diagnose(url, "--api-key", KEY)
        server.websocket_enabled = False
        off = diagnose(url, "--api-key", KEY)

    assert code == found.code
    assert "nginx" in found.of("server")["evidence"]
    assert said in found.of("socket")["evidence"]
    assert "WEBSOCKET_ENABLED" in off.cause[2]


def test_behind_nginx_with_a_wrong_path(server: FakeEvolutionServer, tmp_path: Path) -> None:
    """A path that the proxy does not pass on, or passes on in part, is told from the rest."""
    with nginx(tmp_path, location(server.url, "/evolution/")) as url:
        right = diagnose(f"{url}/evolution", "--api-key", KEY)
        wrong = diagnose(f"{url}/other", "--api-key", KEY)
        without = diagnose(url, "--api-key", KEY)

    assert not right.has_failed
    assert wrong.cause[0] == "server"
    assert "path /other" in wrong.cause[2]
    assert without.cause[0] == "socket"
    assert "path /socket.io/ leads nowhere" in without.cause[1]


def test_behind_nginx_that_keeps_the_socket(server: FakeEvolutionServer, tmp_path: Path) -> None:
    """REST that works beside a socket that is not passed on is recognised."""
    locations = location(server.url) + "location /socket.io/ { return 404; }"
    with nginx(tmp_path, locations) as url:
        found = diagnose(url, "--api-key", KEY)

    assert found.cause[0] == "socket"
    assert "leads nowhere" in found.cause[1]


def test_behind_nginx_without_a_server(tmp_path: Path) -> None:
    """A proxy whose server is down is recognised by its answer."""
    with nginx(tmp_path, location("http://127.0.0.1:1")) as url:
        found = diagnose(url)

    assert found.cause[0] == "server"
    assert "reverse proxy is up" in found.cause[1]


def test_redirect(tmp_path: Path) -> None:
    """A redirect is not followed; where it leads is the remedy."""
    with nginx(tmp_path, "return 301 https://api.example.com$request_uri;") as url:
        found = diagnose(url)

    assert found.cause[0] == "server"
    assert "https://api.example.com" in found.cause[2]


def test_real_socketio_server() -> None:
    """Node's socket.io, which has no REST, is examined as far as it goes."""
    require_node()
    with NodeServer(api_key=KEY) as node:
        node.create_namespace("sales")
        found = diagnose(node.url, "--api-key", KEY)
        wrong = diagnose(node.url, "--api-key", OTHER_KEY)

    assert not found.has_failed
    assert "polling too" in found.of("socket")["evidence"]
    assert found.of("namespace")["status"] == "ok"
    assert wrong.cause[0] == "socket"
    assert "the key is wrong" in wrong.cause[1]


@pytest.mark.parametrize("upgrade", [True, False], ids=["with", "without"])
def test_real_socketio_server_behind_nginx(tmp_path: Path, upgrade: bool) -> None:
    """A dropped Upgrade header is found with Node's answers, too."""
    require_node()
    with NodeServer() as node, nginx(tmp_path, location(node.url, upgrade=upgrade)) as url:
        found = diagnose(url)

    assert upgrade is not found.has_failed
    if not upgrade:
        assert "by polling socket.io answers" in found.cause[1]


def test_table_for_people(server: FakeEvolutionServer) -> None:
    """Without --json there are aligned lines, a remedy below each, and the likely cause."""
    server.websocket_enabled = False

    done = run("doctor", "--url", server.url, "-i", "sales", "--api-key", KEY)

    assert done.code == 2
    assert any(line.startswith("ok       server ") for line in done.lines)
    assert any(line.startswith("FAILURE  socket ") for line in done.lines)
    assert any("→ Set WEBSOCKET_ENABLED=true" in line for line in done.lines)
    assert "The cause, most likely" in done.out
    assert "run doctor again" in " ".join(done.out.split())
    assert KEY not in done.out
