"""``manage.py evolution_listen``, in this process."""

from __future__ import annotations

import io
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


pytest.importorskip("django")

from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import override_settings

from evolution_ws.integrations.django import event_received
from evolution_ws.testing import FakeEvolutionServer, build
from tests.helpers import in_thread, wait_until


def listen(
    server: FakeEvolutionServer, receive: Any, *events: Any, **options: Any
) -> tuple[str, list[Any]]:
    """Run the command until its receiver ends it; return what it said, and what was received."""
    seen: list[Any] = []
    out = io.StringIO()

    def receiver(event: Any, alias: str, **given: object) -> None:
        seen.append((alias, event.type))
        receive(event)

    def act() -> None:
        server.wait_for_client("sales")
        for event in events:
            server.emit(event)
        try:
            wait_until(lambda: seen)
        except AssertionError:
            stop(None)  # the command would run for ever
            raise

    wait_until(lambda: server.clients == [])
    event_received.connect(receiver)
    task = in_thread(act)
    try:
        call_command("evolution_listen", stdout=out, **options)
    finally:
        event_received.disconnect(receiver)
        task.result()
    return out.getvalue(), seen


def stop(event: object) -> None:
    """End the command as a supervisor does."""
    os.kill(os.getpid(), signal.SIGTERM)


def test_command_sends_signals_until_sigterm(
    django_settings: dict[str, Any], server: FakeEvolutionServer
) -> None:
    """Events become signals, the status is told, and the end is a normal one."""
    said, seen = listen(server, stop, build.text("Oi", instance="sales"))

    assert seen == [("default", "messages.upsert")]
    assert " connected\n" in said
    assert said.endswith("stopped: 1 events handled, 0 failures\n")


def test_command_is_silent_when_told(
    django_settings: dict[str, Any], server: FakeEvolutionServer
) -> None:
    """Verbosity 0 says nothing."""
    said, seen = listen(server, stop, build.call(instance="sales"), verbosity=0)

    assert said == ""
    assert len(seen) == 1


def test_command_takes_alias_and_events(server: FakeEvolutionServer) -> None:
    """The options choose the connection and what is handled."""
    entry = {"URL": server.url, "INSTANCE": "sales", "EVENTS": ["call"]}
    message, call = build.text("Oi", instance="sales"), build.call(instance="sales")
    with override_settings(EVOLUTION_WS={"main": entry}):
        _, by_setting = listen(server, stop, message, call, alias="main")
        _, by_option = listen(server, stop, call, message, alias="main", events=["MESSAGES_UPSERT"])

    assert by_setting == [("main", "call")]
    assert by_option == [("main", "messages.upsert")]


def test_connections_to_the_database_are_renewed(
    django_settings: dict[str, Any], server: FakeEvolutionServer
) -> None:
    """A connection that is past its age is closed around each event."""
    connection.ensure_connection()
    closed: list[str] = []
    close = connection.close_if_unusable_or_obsolete
    connection.close_if_unusable_or_obsolete = lambda: closed.append("looked at")  # type: ignore[method-assign]
    try:
        listen(server, stop, build.call(instance="sales"))
    finally:
        connection.close_if_unusable_or_obsolete = close  # type: ignore[method-assign]

    assert closed == ["looked at"] * 2


@pytest.fixture
def make_database(tmp_path: Path) -> Iterator[Callable[..., BaseDatabaseWrapper]]:
    """Return a function that adds a database in a file, with the table ``seen``."""

    def make(**options: object) -> BaseDatabaseWrapper:
        file = str(tmp_path / "other.sqlite3")
        connections.databases["other"] = {**connection.settings_dict, "NAME": file, **options}
        made = connections["other"]
        made.cursor().execute("CREATE TABLE seen (text)")
        return made

    yield make
    connections["other"].close()
    del connections["other"], connections.databases["other"]


def is_alive(database: BaseDatabaseWrapper) -> bool:
    """Return whether a query gets through, which SQLite's own is_usable() takes for granted."""
    try:
        database.connection.execute("SELECT 1")
    except sqlite3.Error:
        return False
    return True


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({}, ["1", "2", "3"], id="by default"),
        pytest.param({"CONN_MAX_AGE": None}, ["1", "3"], id="kept"),
        pytest.param(
            {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}, ["1", "2", "3"], id="checked"
        ),
    ],
)
def test_a_database_that_drops_its_connection(
    django_settings: dict[str, Any],
    server: FakeEvolutionServer,
    make_database: Callable[..., BaseDatabaseWrapper],
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    expected: list[str],
) -> None:
    """The next event is stored all the same, or the one after it where connections are kept."""
    database = make_database(**settings)
    monkeypatch.setattr(database, "is_usable", lambda: is_alive(database))
    events = [build.text(text, instance="sales") for text in "123"]

    def store(event: Any) -> None:
        if event.message.text == "3":
            stop(event)
        database.cursor().execute("INSERT INTO seen VALUES (%s)", [event.message.text])
        if event.message.text == "1":
            database.connection.close()

    listen(server, store, *events)

    stored = database.cursor().execute("SELECT text FROM seen ORDER BY text").fetchall()
    assert [text for (text,) in stored] == expected


@pytest.mark.parametrize(
    ("setting", "options", "said"),
    [
        (None, {}, "EVOLUTION_WS is missing"),
        ({"URL": "https://api.example.com", "KEY": 1}, {}, "unknown key 'KEY'"),
        ({"URL": "https://api.example.com"}, {"alias": "x"}, "no alias 'x'; it has default"),
    ],
    ids=["missing", "key", "alias"],
)
def test_wrong_settings_end_with_78(setting: Any, options: dict[str, str], said: str) -> None:
    """A supervisor can tell that a restart does not help."""
    with override_settings(EVOLUTION_WS=setting), pytest.raises(CommandError) as caught:
        call_command("evolution_listen", **options)

    assert said in str(caught.value)
    assert caught.value.returncode == 78


def test_refused_key_ends_with_77(server: FakeEvolutionServer) -> None:
    """Neither does it help against a wrong key, which is not shown."""
    server.api_key = "right"
    entry = {"URL": server.url, "INSTANCE": "sales", "API_KEY": "wrong-key"}
    out = io.StringIO()
    with override_settings(EVOLUTION_WS=entry), pytest.raises(CommandError) as caught:
        call_command("evolution_listen", stdout=out)

    assert str(caught.value).startswith("AuthenticationError: ")
    assert "wrong-key" not in str(caught.value) + out.getvalue()
    assert caught.value.returncode == 77


def test_failing_receiver_ends_with_70_when_told(
    django_settings: dict[str, Any], server: FakeEvolutionServer
) -> None:
    """With --exit-on-error a supervisor restarts the command."""

    def fail(event: object) -> None:
        raise LookupError("no such row")

    with pytest.raises(CommandError) as caught:
        listen(server, fail, build.call(instance="sales"), exit_on_error=True)

    assert caught.value.returncode == 70


@pytest.mark.parametrize("where", ["option", "setting"])
def test_durable_inbox_is_the_listeners(
    where: str, server: FakeEvolutionServer, tmp_path: Path
) -> None:
    """The file is made where the option, or the setting, says."""
    file = tmp_path / "inbox.db"
    entry: dict[str, Any] = {"URL": server.url, "INSTANCE": "sales"}
    options = {"durable": str(file)} if where == "option" else {}
    if where == "setting":
        entry["DURABLE"] = file
    with override_settings(EVOLUTION_WS=entry):
        _, seen = listen(server, stop, build.call(instance="sales"), **options)

    assert len(seen) == 1
    assert file.exists()


def test_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever writes a unit file finds them there."""
    with pytest.raises(SystemExit):
        call_command("evolution_listen", "--help")

    assert "RestartPreventExitStatus=77 78" in " ".join(capsys.readouterr().out.split())
