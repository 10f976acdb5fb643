"""What Django's views use: get_client() and event_stream(), and the signals."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest


pytest.importorskip("django")

from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIRequest
from django.db import connection, transaction
from django.dispatch import Signal
from django.http import StreamingHttpResponse
from django.test import Client as Browser
from django.test import RequestFactory, override_settings

from evolution_ws import ConnectionState, Event
from evolution_ws.events import MessageEvent
from evolution_ws.integrations.django import (
    close_clients,
    dispatch,
    event_received,
    event_stream,
    get_client,
    message_received,
)
from evolution_ws.testing import FakeEvolutionServer, build
from tests.helpers import in_thread
from tests.integrations.web_tools import Frame, next_event, next_state, parse_frames


Receiver = Callable[..., object]


@pytest.fixture
def connect() -> Iterator[Callable[[Signal, Receiver], None]]:
    """Return a function that connects receivers, which are disconnected afterwards."""
    connected: list[tuple[Signal, Receiver]] = []

    def connect_one(signal: Signal, receiver: Receiver) -> None:
        signal.connect(receiver, weak=False)
        connected.append((signal, receiver))

    yield connect_one
    for signal, receiver in connected:
        signal.disconnect(receiver)


def frames_of(response: Any) -> Iterator[Frame]:
    """Return the frames of a streaming response."""
    assert isinstance(response, StreamingHttpResponse)
    content = response.streaming_content
    assert isinstance(content, Iterable)
    return parse_frames(content)


def test_get_client_is_shared_and_lazy(
    django_settings: dict[str, Any], server: FakeEvolutionServer
) -> None:
    """All threads get one client, which connects with the first emit."""
    tasks = [in_thread(get_client) for _ in range(8)]
    clients = {id(task.result()) for task in tasks}
    before = server.clients
    status = Browser().get("/emit/").status_code

    assert len(clients) == 1
    assert before == []
    assert status == 200
    assert server.wait_for_emit()[0].name == "sendNode"


def test_get_client_knows_its_alias(server: FakeEvolutionServer) -> None:
    """Each alias has a client of its own."""
    server.add_instance("support")
    aliases = {name: {"URL": server.url, "INSTANCE": name} for name in ("sales", "support")}
    with override_settings(EVOLUTION_WS=aliases):
        get_client("support").emit("hello")
        emitted = server.wait_for_emit()
        with pytest.raises(ImproperlyConfigured, match="no alias 'default'"):
            get_client()

    assert emitted[0].namespace == "/support"


def test_get_client_has_the_rest_companion(
    django_settings: dict[str, Any], server: FakeEvolutionServer
) -> None:
    """Messages are sent over REST, without a connection of the socket."""
    sent = get_client().api.send_text("sales", "5511900000009", "Olá")

    assert sent["message"] == {"conversation": "Olá"}
    assert server.clients == []


def test_changed_settings_make_a_new_client(
    django_settings: dict[str, Any], server: FakeEvolutionServer
) -> None:
    """Overriding the setting closes what was made of the old one."""
    old = get_client()
    old.connect()
    with override_settings(EVOLUTION_WS={"URL": server.url, "INSTANCE": "support"}):
        new = get_client()
    with override_settings(DEBUG=True):
        pass

    assert old.state is ConnectionState.CLOSED
    assert new is not old


def test_close_clients_may_be_called_any_time(
    django_settings: dict[str, Any], server: FakeEvolutionServer
) -> None:
    """Afterwards the next call makes a new client."""
    first = get_client()
    close_clients()
    close_clients()

    assert get_client() is not first


def test_wrong_options_are_improperly_configured(server: FakeEvolutionServer) -> None:
    """What only the client notices is told with the alias."""
    entry = {"URL": server.url, "OPTIONS": {"queue_bytes": -1}}
    with (
        override_settings(EVOLUTION_WS=entry),
        pytest.raises(ImproperlyConfigured, match=r"EVOLUTION_WS\['default'\]: queue_bytes"),
    ):
        get_client()


def test_stream_sends_events_as_they_come(
    django_settings: dict[str, Any], server: FakeEvolutionServer
) -> None:
    """A view returns the stream with the headers that it needs."""
    response = Browser().get("/events/")
    frames = frames_of(response)
    next_state(frames, "open")
    server.emit(build.text("Oi", instance="sales"))
    frame = next_event(frames)
    response.close()

    assert frame.data["type"] == "messages.upsert"
    assert response["Content-Type"] == "text/event-stream"
    assert response["X-Accel-Buffering"] == "no"
    assert "no-cache" in response["Cache-Control"]
    assert "Content-Encoding" not in response


@pytest.mark.parametrize("way", ["header", "query"])
def test_stream_resumes(
    way: str, django_settings: dict[str, Any], server: FakeEvolutionServer
) -> None:
    """The id of the last event is taken from the header, or from the query."""
    frames = frames_of(Browser().get("/events/"))
    next_state(frames, "open")
    for text in ("a", "b"):
        server.emit(build.text(text, instance="sales", id=text))
    first = next_event(frames)
    next_event(frames)
    url = f"/events/?lastEventId={first.id}" if way == "query" else "/events/"
    headers = {"Last-Event-ID": str(first.id)} if way == "header" else {}
    again = frames_of(Browser(headers=headers).get(url))

    assert next_event(again).id == "sales:messages.upsert:b"


def test_stream_is_not_compressed(django_settings: dict[str, Any]) -> None:
    """The middleware that would hold events back is told to leave the stream alone."""
    middleware = ["django.middleware.gzip.GZipMiddleware"]
    with override_settings(MIDDLEWARE=middleware):
        response = Browser(headers={"Accept-Encoding": "gzip"}).get("/events/")
        beginning = next(iter(frames_of(response)))
        response.close()

    assert response["Content-Encoding"] == "identity"
    assert beginning == Frame(retry=1000)


def test_stream_needs_a_wsgi_server(django_settings: dict[str, Any]) -> None:
    """On an ASGI server the view fails with a sentence instead of hanging."""
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}

    with pytest.raises(ImproperlyConfigured, match="needs a WSGI server"):
        event_stream(ASGIRequest(scope, io.BytesIO()))


def test_stream_keeps_no_database_connection(django_settings: dict[str, Any]) -> None:
    """What the view has used is given back before the first byte, except inside a transaction."""
    request = RequestFactory().get("/")
    connection.ensure_connection()
    closed: list[str] = []
    connection.close = lambda: closed.append("closed")  # type: ignore[method-assign]
    try:
        next(frames_of(event_stream(request)))
        with transaction.atomic():
            next(frames_of(event_stream(request)))
    finally:
        del connection.close

    assert closed == ["closed"]


def test_dispatch_sends_both_signals(connect: Callable[[Signal, Receiver], None]) -> None:
    """A message that came in is an event and a message."""
    seen: list[tuple[str, Any]] = []
    connect(event_received, lambda sender, **given: seen.append(("event", given["event"])))
    connect(message_received, lambda sender, **given: seen.append(("message", given["message"])))
    event = build.text("Oi")

    failures = dispatch(event)

    assert failures == 0
    assert seen == [("event", event), ("message", event.message)]


@pytest.mark.parametrize(
    "event",
    [build.call(), build.text("Oi", from_me=True), build.text("Oi", sent=True)],
    ids=["call", "own", "sent"],
)
def test_only_what_others_write_is_a_received_message(
    event: Event, connect: Callable[[Signal, Receiver], None]
) -> None:
    """Own messages are events only: whoever answers messages must not answer itself."""
    seen: list[str] = []
    connect(event_received, lambda **given: seen.append("event"))
    connect(message_received, lambda **given: seen.append("message"))

    dispatch(event)

    assert seen == ["event"]


def test_receivers_can_ask_for_a_class(connect: Callable[[Signal, Receiver], None]) -> None:
    """The sender is the event's class, and the alias is told."""
    seen: list[str] = []

    def receive(sender: type[Event], event: Event, alias: str, **given: object) -> None:
        seen.append(alias)

    event_received.connect(receive, sender=MessageEvent)
    try:
        dispatch(build.text("Oi"), "support")
        dispatch(build.call(), "support")
    finally:
        event_received.disconnect(receive, sender=MessageEvent)

    assert seen == ["support"]


def test_receiver_that_raises_stops_no_other(
    connect: Callable[[Signal, Receiver], None], caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and counted, the others have their turn."""
    seen: list[str] = []

    def fail(**given: object) -> None:
        raise LookupError("no such row")

    connect(message_received, fail)
    connect(message_received, lambda **given: seen.append("after"))

    failures = dispatch(build.text("Oi"))

    assert failures == 1
    assert seen == ["after"]
    assert "no such row" in caplog.text
