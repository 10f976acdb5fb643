"""
Evolution API's events in Flask.

Example::

    app = Flask(__name__)
    app.config["EVOLUTION_URL"] = "https://api.example.com"
    app.config["EVOLUTION_INSTANCE"] = "sales"
    evolution = EvolutionWS(app)

    @evolution.on("messages.upsert")
    def show(event):
        app.logger.info("a message in %s", event.instance)

``flask evolution listen`` receives and runs the callbacks; views use :func:`get_client` and
:func:`event_stream`. Nothing connects before one of them is used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar


try:
    from blinker import Namespace, Signal
    from flask import Flask, Response, current_app, request
except ModuleNotFoundError as exc:
    raise ModuleNotFoundError(
        "Flask is not installed: pip install 'evolution-ws[flask]'", name=exc.name
    ) from None

import attrs

from .. import Client, Event
from ._flask_config import make_web_client, set_defaults
from ._listen import received_message
from ._select import instance_set, wire_names
from ._shared import Shared
from ._wish import CONTENT_TYPE, HEADERS, last_event_id, lifetime, wish


__all__ = [
    "EvolutionWS",
    "event_received",
    "event_stream",
    "get_client",
    "message_received",
]

_log = logging.getLogger("evolution_ws.flask")

C = TypeVar("C", bound=Callable[..., object])

_signals = Namespace()

event_received: Signal = _signals.signal("evolution-event-received")
"""Every event. Receivers get the app as sender, and *event*."""

message_received: Signal = _signals.signal("evolution-message-received")
"""
Every message that somebody wrote to the instance, not those it wrote itself.

Receivers get the app as sender, *event* and *message*.
"""

_KEY = "evolution_ws"


@attrs.frozen
class _Registration:
    callback: Callable[..., object]
    types: frozenset[str] | None
    instances: frozenset[str] | None
    predicate: Callable[[Any], object] | None

    def calls(self, event: Event) -> Iterator[Callable[[], object]]:
        """Yield what to call for *event*: nothing, or one call."""
        if self.types is not None and event.type not in self.types:
            return
        if self.instances is None or event.instance in self.instances:
            yield lambda: self._call(event)

    def _call(self, event: Event) -> None:
        if self.predicate is None or self.predicate(event):
            self.callback(event)


class EvolutionWS:
    """
    The extension.

    Configuration, each key with the environment variable of its name as default:

    * ``EVOLUTION_URL``: address of the server;
    * ``EVOLUTION_INSTANCE``: name of the instance, or several (comma separated or a list); none
      for all;
    * ``EVOLUTION_API_KEY``: the key, or a callable that returns it;
    * ``EVOLUTION_DURABLE``: file in which the listener keeps events until they are handled;

    and without: ``EVOLUTION_EVENTS``, names of the events that the listener handles, and
    ``EVOLUTION_OPTIONS``, fields of :class:`~evolution_ws.ClientConfig`.

    Args:
        app:
            The app; None when :meth:`init_app` is called later, for one app or several.
    """

    def __init__(self, app: Flask | None = None) -> None:
        self._registrations: list[_Registration] = []
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """
        Prepare *app*: configuration, and the command ``flask evolution listen``.

        Raises:
            RuntimeError: The app has this extension already.
        """
        if _KEY in app.extensions:
            raise RuntimeError("this app has an EvolutionWS already; use that one")
        set_defaults(app)
        app.extensions[_KEY] = _State(self, Shared(lambda: make_web_client(app)))
        from ._flask_cli import evolution

        app.cli.add_command(evolution)

    def on(
        self,
        *types: str,
        instance: str | Iterable[str] | None = None,
        predicate: Callable[[Any], object] | None = None,
    ) -> Callable[[C], C]:
        """
        Register a callback for ``flask evolution listen``, as a decorator.

        Each callback runs in an app context of its own; what it raises is logged, and keeps no
        other from its turn.

        Args:
            types:
                Names of events, in any spelling; ``"*"`` or none for all.
            instance:
                Name or names of instances; None for all.
            predicate:
                Gets the event; a false answer keeps it from the callback.
        """
        names, instances = wire_names(types), instance_set(instance)

        def register(callback: C) -> C:
            self._registrations.append(_Registration(callback, names, instances, predicate))
            return callback

        return register

    def dispatch(self, event: Event, app: Flask | None = None) -> int:
        """
        Run the callbacks for *event* and send the signals, in this thread.

        The listener calls it for each event; tests may call it with an event of
        :mod:`evolution_ws.testing.build`.

        Args:
            event:
                What was received.
            app:
                The app in whose context everything runs; None takes the current one.

        Returns:
            The number of callbacks and receivers that raised.
        """
        chosen = _the_app() if app is None else app
        failures = 0
        for call in self._calls(chosen, event):
            try:
                with chosen.app_context():
                    call()
            except Exception as exc:
                failures += 1
                _log.error("a callback failed for %s", event.type, exc_info=exc)
        return failures

    def _calls(self, app: Flask, event: Event) -> Iterator[Callable[[], object]]:
        for registration in self._registrations:
            yield from registration.calls(event)
        for receiver in event_received.receivers_for(app):
            yield partial(receiver, app, event=event)
        message = received_message(event)
        if message is not None:
            for receiver in message_received.receivers_for(app):
                yield partial(receiver, app, event=event, message=message)

    def get_client(self) -> Client:
        """Return the current app's client; see :func:`get_client`."""
        return get_client()

    def event_stream(self, *types: str, **options: Any) -> Response:
        """Return a response with the events as they come; see :func:`event_stream`."""
        return event_stream(*types, **options)

    def close(self, app: Flask | None = None) -> None:
        """
        Close the client and the streams of an app in this process.

        The end of the process does the same; this is for tests. The next call that needs
        a client makes a new one.

        Args:
            app:
                The app; None takes the current one.
        """
        _state(_the_app() if app is None else app).shared.close()


@attrs.frozen
class _State:
    """What an app has of the extension."""

    extension: EvolutionWS
    shared: Shared


def get_client() -> Client:
    """
    Return the client for views and tasks, the same one in all threads of a process.

    It emits, calls and has :attr:`~evolution_ws.Client.api`; it connects with the first
    emit, which waits *connect_timeout* seconds for that. It has no inbox: receiving is the
    job of ``flask evolution listen``.

    Raises:
        ConfigError: The configuration is wrong.
        RuntimeError: There is no app context, or the app does not have the extension.

    Threads:
        Any, in an app context. After a fork each process makes its own.
    """
    return _state(_the_app()).shared.client()


def event_stream(
    *types: str,
    instance: str | Iterable[str] | None = None,
    serialize: Callable[[Any], Any] | None = None,
    heartbeat: float = 15.0,
    lifetime_seconds: float | None = None,
) -> Response:
    """
    Return a response that sends the events to a browser as they come.

    In the page, ``new EventSource(url).onmessage`` gets them, as JSON. All streams of a
    process share one connection and a memory of about a thousand events, with which a browser that
    was away goes on where it was; ``gap`` tells it when that is not possible, ``state`` how
    the connection to the server is. A stream whose browser is too slow is ended.

    The view decides who may look: nothing is checked here.

    Args:
        types:
            Names of events, in any spelling; none of them for all.
        instance:
            Name or names of instances; None for all of the app.
        serialize:
            Gets an event and returns what the browser gets, or None to leave it out. It runs
            outside of the contexts of app and request. None sends ``event.to_dict()``.
        heartbeat:
            Seconds of silence after which a comment is sent.
        lifetime_seconds:
            Seconds after which the stream ends and the browser comes back; None has no limit,
            except on servers that serve one request at a time.

    Raises:
        ConfigError: The configuration is wrong.
        RuntimeError: There is no request, or the app does not have the extension.

    Threads:
        Any, in a request; the stream occupies the server's thread (or greenlet) for as long as
        it is open.
    """
    shared = _state(_the_app()).shared
    shared.client()  # wrong configuration is told here, and not in the middle of a response
    wanted = wish(
        types,
        instance,
        last_event_id(request.headers.get("Last-Event-ID"), request.args.get("lastEventId")),
        serialize=serialize,
        heartbeat=heartbeat,
        lifetime=lifetime(request.environ, lifetime_seconds),
    )
    frames = shared.broadcaster().stream(wanted)
    return Response(frames, content_type=CONTENT_TYPE, headers=HEADERS)


def _the_app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app


def _state(app: Flask) -> _State:
    state = app.extensions.get(_KEY)
    if not isinstance(state, _State):
        raise RuntimeError("this app has no EvolutionWS; call EvolutionWS(app), or init_app(app)")
    return state


def extension_of(app: Flask) -> EvolutionWS:
    """
    Return the extension of *app*.

    Raises:
        RuntimeError: It has none.
    """
    return _state(app).extension
