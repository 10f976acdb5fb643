"""The Flask extension."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest


pytest.importorskip("flask")

from flask import Flask, current_app, g

from evolution_ws import ConfigError, ConnectionState, Event
from evolution_ws.integrations.flask import (
    EvolutionWS,
    event_received,
    event_stream,
    get_client,
    message_received,
)
from evolution_ws.testing import FakeEvolutionServer, build
from tests.helpers import in_thread
from tests.integrations.web_tools import Frame, import_copy, next_event, next_state, parse_frames


def frames_of(app: Flask, **options: Any) -> Iterator[Frame]:
    """Return the frames of the app's stream."""
    response = app.test_client().get("/events", buffered=False, **options)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["X-Accel-Buffering"] == "no"
    chunks = response.response
    return parse_frames(chunk for chunk in chunks if isinstance(chunk, bytes))


def test_nothing_connects_at_first(app: Flask, server: FakeEvolutionServer) -> None:
    """Making app, extension and client connects nothing; the first emit does."""
    with app.app_context():
        client = get_client()
    before = client.state
    answer = app.test_client().get("/emit")

    assert before is ConnectionState.NEW
    assert answer.text == "sent"
    assert server.wait_for_emit()[0].name == "sendNode"


def test_client_is_shared_by_threads(
    app: Flask, evolution: EvolutionWS, server: FakeEvolutionServer
) -> None:
    """All threads of a process get one client, from the function and from the method."""

    def ask() -> int:
        with app.app_context():
            return id(evolution.get_client())

    tasks = [in_thread(ask) for _ in range(8)]

    with app.app_context():
        assert {task.result() for task in tasks} == {id(get_client())}


def test_close_makes_room_for_a_new_client(app: Flask, evolution: EvolutionWS) -> None:
    """After close() the next call makes a new one."""
    with app.app_context():
        first = get_client()
        evolution.close()
        second = get_client()

    assert first.state is ConnectionState.CLOSED
    assert second is not first


def test_stream_sends_and_resumes(app: Flask, server: FakeEvolutionServer) -> None:
    """Events come as they happen; Last-Event-ID brings what was missed."""
    frames = frames_of(app)
    next_state(frames, "open")
    for text in "ab":
        server.emit(build.text(text, instance="sales", id=text))
    first = next_event(frames)
    next_event(frames)
    again = frames_of(app, headers={"Last-Event-ID": str(first.id)})

    assert first.data["type"] == "messages.upsert"
    assert next_event(again).id == "sales:messages.upsert:b"


def test_stream_of_the_extension_is_the_same(app: Flask, evolution: EvolutionWS) -> None:
    """The method is the function."""
    with app.test_request_context("/?lastEventId=x"):
        response = evolution.event_stream("call", lifetime_seconds=0.01)
    frames = list(parse_frames(chunk for chunk in response.response if isinstance(chunk, bytes)))

    assert [frame.event for frame in frames[:2]] == ["message", "gap"]


def test_callbacks_run_in_an_app_context(app: Flask, evolution: EvolutionWS) -> None:
    """Each has the app, and a context of its own."""
    seen: list[Any] = []

    @evolution.on("messages.upsert")
    def first(event: Any) -> None:
        g.mark = "first"
        seen.append((current_app.name, event.message.text))

    @evolution.on()
    def second(event: Event) -> None:
        seen.append(g.get("mark"))

    failures = evolution.dispatch(build.text("Oi"), app)

    assert failures == 0
    assert seen == [("site", "Oi"), None]


def test_callbacks_choose_their_events(app: Flask, evolution: EvolutionWS) -> None:
    """By type in any spelling, by instance, and by predicate."""
    seen: list[str] = []

    @evolution.on("MESSAGES_UPSERT", predicate=lambda event: event.message.text == "yes")
    def by_predicate(event: Event) -> None:
        seen.append("predicate")

    @evolution.on(instance=["support"])
    def by_instance(event: Event) -> None:
        seen.append("instance")

    with app.app_context():
        for event in (build.call(), build.text("no"), build.text("yes")):
            evolution.dispatch(event)
        evolution.dispatch(build.call(instance="support"))

    assert seen == ["predicate", "instance"]


def test_callback_that_raises_stops_no_other(
    app: Flask, evolution: EvolutionWS, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and counted."""
    seen: list[str] = []

    @evolution.on()
    def fail(event: Event) -> None:
        raise LookupError("no such row")

    @evolution.on()
    def after(event: Event) -> None:
        seen.append(event.type)

    assert evolution.dispatch(build.call(), app) == 1
    assert seen == ["call"]
    assert "no such row" in caplog.text


def test_signals_suit_blueprints(app: Flask, evolution: EvolutionWS) -> None:
    """Receivers need no app to connect, and get it as the sender."""
    seen: list[Any] = []

    def on_event(sender: Flask, event: Event) -> None:
        seen.append((sender, event.type, current_app.name))

    def on_message(sender: Flask, event: Event, message: Any) -> None:
        seen.append((sender, message.text))

    with event_received.connected_to(on_event), message_received.connected_to(on_message):
        evolution.dispatch(build.text("Oi"), app)
        evolution.dispatch(build.text("eu", from_me=True), app)

    assert seen == [
        (app, "messages.upsert", "site"),
        (app, "Oi"),
        (app, "messages.upsert", "site"),
    ]


def test_one_extension_serves_several_apps(server: FakeEvolutionServer) -> None:
    """The factory pattern: callbacks are the extension's, clients are the apps'."""
    extension = EvolutionWS()
    apps = [Flask("one"), Flask("two")]
    for one in apps:
        one.config["EVOLUTION_URL"] = server.url
        extension.init_app(one)
    clients = []
    for one in apps:
        with one.app_context():
            clients.append(get_client())

    assert clients[0] is not clients[1]


def test_second_extension_is_refused(app: Flask) -> None:
    """An app has one."""
    with pytest.raises(RuntimeError, match="has an EvolutionWS already"):
        EvolutionWS(app)


def test_app_without_the_extension_is_told() -> None:
    """The error says what is missing."""
    bare = Flask("bare")

    with bare.app_context(), pytest.raises(RuntimeError, match="has no EvolutionWS"):
        get_client()


def test_configuration_defaults_to_the_environment(
    monkeypatch: pytest.MonkeyPatch, server: FakeEvolutionServer
) -> None:
    """Variables of the same names are used where the app says nothing; names are split."""
    monkeypatch.setenv("EVOLUTION_URL", server.url)
    monkeypatch.setenv("EVOLUTION_INSTANCE", "sales, support")
    app = Flask("env")
    EvolutionWS(app)
    with app.app_context():
        shown = repr(get_client())

    assert "(sales, support)" in shown


@pytest.mark.parametrize("instance", [None, "*", ""], ids=["none", "star", "empty"])
def test_no_instance_means_all(instance: str | None, server: FakeEvolutionServer) -> None:
    """Without a name the client takes every instance."""
    app = Flask("all")
    app.config.update(EVOLUTION_URL=server.url, EVOLUTION_INSTANCE=instance)
    EvolutionWS(app)
    with app.app_context():
        assert "(all instances)" in repr(get_client())


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "set EVOLUTION_URL"),
        ({"EVOLUTION_URL": "ftp://x"}, "http"),
        ({"EVOLUTION_URL": "http://x", "EVOLUTION_OPTIONS": 5}, "has to be a dict"),
        ({"EVOLUTION_URL": "http://x", "EVOLUTION_OPTIONS": {"durable": "f"}}, "EVOLUTION_DURABLE"),
        ({"EVOLUTION_URL": "http://x", "EVOLUTION_OPTIONS": {"y": 1}}, "unknown option y"),
    ],
    ids=["none", "scheme", "options", "durable", "unknown"],
)
def test_wrong_configuration_is_told(config: dict[str, Any], said: str) -> None:
    """The view fails before a response begins, and the command ends with 78."""
    app = Flask("wrong")
    app.config.update(config)
    EvolutionWS(app)
    with app.test_request_context(), pytest.raises(ConfigError, match=said):
        event_stream()
    result = app.test_cli_runner().invoke(args=["evolution", "listen"])

    assert result.exit_code == 78
    assert said in result.output


def test_missing_flask_is_told_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the framework the import says what to install."""
    monkeypatch.setitem(sys.modules, "flask", None)

    with pytest.raises(ModuleNotFoundError, match=r"pip install 'evolution-ws\[flask\]'"):
        import_copy("flask.py")
