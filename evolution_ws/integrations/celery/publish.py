"""Give events to the broker of an app, as task calls, one confirmed after the other."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from kombu.exceptions import OperationalError

from ... import ConfigError, Event
from .tasks import COPY_HEADER


__all__ = ["BrokerAway", "EventRefused", "Publisher"]

_log = logging.getLogger("evolution_ws.forward")

Namer = str | Callable[[Event], str] | None

# A broker that has vanished from the network must not hold an event up for ever.
_TIMEOUT = 5.0

# AMQP's PRECONDITION_FAILED: the message is larger than the broker takes.
_TOO_LARGE = 406


class BrokerAway(Exception):
    """The broker did not take an event; it may later."""


class EventRefused(Exception):
    """The broker will never take this event."""


class Publisher:
    """
    Calls one task of an app for each event.

    Args:
        app:
            The Celery app.
        task:
            Name of the task, or the task itself.
        queue:
            Name of the queue, or what gives it for an event; None leaves it to the app.
        routing_key:
            The same for the routing key.
        options:
            Further arguments of ``apply_async``.
        check_task:
            Whether the task has to be known to the app here; its workers need it anyhow.

    Raises:
        ConfigError: The app has no such task, or no broker that could ever be used.
    """

    def __init__(
        self,
        app: Any,
        task: Any,
        queue: Namer = None,
        routing_key: Namer = None,
        options: Mapping[str, Any] | None = None,
        check_task: bool = True,
    ) -> None:
        self._app = app
        self.task_name = str(getattr(task, "name", task))
        self._task = _known_task(app, self.task_name) if check_task else None
        self._driver = _driver(app)
        self._names = {"queue": queue, "routing_key": routing_key}
        # Nobody waits for the result, and asking for it would cost a subscription an event.
        self._options: dict[str, Any] = {"ignore_result": True, **(options or {})}
        self._connection: Any = None
        self._producer: Any = None

    @property
    def broker(self) -> str:
        """The broker's address, without its password."""
        with self._app.connection_for_write() as connection:
            return str(connection.as_uri())

    def publish(self, event: Event) -> None:
        """
        Return once the broker has *event*.

        Raises:
            BrokerAway: It cannot be reached, or does not take anything at present.
            EventRefused: It will not take this event.
        """
        try:
            self._send(event)
        except OperationalError as exc:
            self.close()
            raise BrokerAway(_reason(exc)) from exc
        except Exception as exc:
            kinds = self._broker_errors()
            self.close()
            if isinstance(exc, kinds) and getattr(exc, "reply_code", None) != _TOO_LARGE:
                raise BrokerAway(_reason(exc)) from exc
            raise EventRefused(_reason(exc)) from exc

    def _send(self, event: Event) -> None:
        if self._producer is None:
            self._open()
        options = {
            "task_id": event.id,
            "producer": self._producer,
            # A copy of its own for each attempt: of one that may have arrived nobody knows.
            "headers": {COPY_HEADER: uuid.uuid4().hex},
            # What was tried twice behind our back would be two messages of one copy.
            "retry": False,
            # The default is a printout of the whole message, in a header and in monitors.
            "argsrepr": f"(<{event.type}>,)",
            "kwargsrepr": "{}",
            **self._options,
        }
        for name, namer in self._names.items():
            if namer is not None:
                options[name] = namer(event) if callable(namer) else namer
        arguments = (event.to_dict(),)
        if self._task is not None:
            self._task.apply_async(arguments, **options)
        else:
            self._app.send_task(self.task_name, arguments, **options)

    def _open(self) -> None:
        options = dict(self._app.conf.broker_transport_options or {})
        if self._driver == "amqp":
            # Without it a publisher hears nothing from RabbitMQ, whatever happens.
            options.setdefault("confirm_publish", True)
            options.setdefault("read_timeout", _TIMEOUT)
            options.setdefault("write_timeout", _TIMEOUT)
        elif self._driver == "redis":
            options.setdefault("socket_timeout", _TIMEOUT)
            options.setdefault("socket_connect_timeout", _TIMEOUT)
        connection = self._app.connection_for_write(transport_options=options)
        self._connection = connection
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=_TIMEOUT)
        self._producer = self._app.amqp.Producer(connection)

    def _broker_errors(self) -> tuple[type[BaseException], ...]:
        connection = self._connection
        return (OSError, *connection.connection_errors, *connection.channel_errors)

    def close(self) -> None:
        """Let go of the connection; the next event opens another."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with suppress(Exception):  # it may be broken, which is why it is closed
                connection.close()


def _known_task(app: Any, name: str) -> Any:
    app.loader.import_default_modules()
    app.finalize()
    if name not in app.tasks:
        own = sorted(known for known in app.tasks if not known.startswith("celery."))
        near = get_close_matches(name, own, 1)
        guess = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(
            f"the app {app.main or 'without a name'} has no task {name!r}; {guess}It has "
            f"{', '.join(own) or 'none'}. Import the task's module in the app (include=…), or "
            "say that workers alone know it (check_task=False)"
        )
    return app.tasks[name]


def _driver(app: Any) -> str:
    """Return the kind of the app's broker, such as ``"redis"``; connects nothing."""
    try:
        return str(app.connection_for_write().transport.driver_type)
    except (ImportError, KeyError, ValueError) as exc:
        # What cannot be read as an address may have a password in it.
        why = f" ({exc.args[0]})" if not isinstance(exc, ValueError) and exc.args else ""
        raise ConfigError(
            f"the broker of the app cannot be used{why}; correct broker_url, or install what it "
            "needs, such as pip install 'celery[redis]'"
        ) from exc


def _reason(exc: BaseException) -> str:
    # Errors of brokers quote what was sent, so the kind has to do, and the system's own words.
    kind = exc
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return f"{type(cause).__name__}: {cause.strerror}"
        kind = cause if kind.__cause__ is cause else kind
        cause = cause.__cause__ or cause.__context__
    return type(kind).__name__
