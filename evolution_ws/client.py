"""The client: what a program that blocks holds in its hands."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, TypeVar

import attrs

from ._address import parse_address
from ._core import Core
from ._hub import Consumer
from ._names import event_names
from .config import ClientConfig, Overflow, config_from_env
from .exceptions import ClientClosed, ConfigError, EvolutionError
from .state import ConnectionState, NamespaceState, Stats
from .subscription import Subscription, instance_names


__all__ = ["Client"]

C = TypeVar("C", bound=Callable[..., object])
Names = str | Iterable[str] | None


class Client:
    """
    Receive the events of an Evolution API server, in code that blocks.

    Example::

        with Client("https://api.example.com", instance="sales", api_key="…") as client:
            for event in client.events():
                print(event.type, event.instance, event.data)

    Making a client connects nothing; :meth:`connect`, ``with``, the first loop
    and :meth:`run` do. It reconnects by itself until :meth:`close`. A client that nobody
    holds any more closes itself: keep a reference as long as callbacks are to run.

    Args:
        url:
            An http, https, ws or wss URL. ``wss://host/sales`` names the instance when
            *instance* is not given; otherwise the path is a reverse proxy's prefix.
            ``?apikey=…`` is taken out of it and used as *api_key*.
        instance:
            Name of the instance, several names (one connection carries them all), or
            None or ``"*"`` for every instance, which needs the server's global mode.
        api_key:
            The server's global key or an instance's token: a str, or a callable that returns
            one and is called for each attempt to connect. It travels in a header.
        config:
            The settings; any field of :class:`ClientConfig` can be given as a keyword instead.

    Raises:
        ConfigError: An argument cannot work.

    Threads:
        All members may be used from any thread, callbacks included.
    """

    def __init__(
        self,
        url: str,
        instance: Names = None,
        *,
        api_key: str | Callable[[], str | None] | None = None,
        config: ClientConfig | None = None,
        **options: Any,
    ) -> None:
        self._core = core = Core(parse_address(url, instance), _config(config, options), api_key)
        # Not at exit: a hook of its own flushes and closes in order there.
        weakref.finalize(self, core.request_close).atexit = False
        self._inbox: Subscription | None = None
        if core.config.queue_size:
            queue = core.hub.new_queue("the inbox")
            self._inbox = Subscription(core.hub, Consumer(queue), core.start)

    @classmethod
    def from_env(
        cls, prefix: str = "EVOLUTION_", environ: Mapping[str, str] | None = None, **options: Any
    ) -> Client:
        """
        Make a client from environment variables.

        Reads ``EVOLUTION_URL``, ``EVOLUTION_INSTANCE`` (comma separated), ``EVOLUTION_API_KEY`` and
        every field of :class:`ClientConfig` by its name, such as ``EVOLUTION_QUEUE_SIZE``.

        Args:
            prefix:
                What the variables' names begin with.
            environ:
                The variables; None takes the process's own.
            options:
                Arguments of :class:`Client`, which win over the environment.

        Raises:
            ConfigError: The URL is missing, or a value does not fit.
        """
        environ = os.environ if environ is None else environ
        settings = config_from_env(prefix, environ)
        names = [name.strip() for name in environ.get(f"{prefix}INSTANCE", "").split(",")]
        settings["instance"] = [name for name in names if name and name != "*"] or None
        settings["api_key"] = environ.get(f"{prefix}API_KEY") or None
        settings["url"] = environ.get(f"{prefix}URL", "")
        settings |= options
        if not settings["url"]:
            raise ConfigError(f"set {prefix}URL to the server's address, https://api.example.com")
        return cls(settings.pop("url"), settings.pop("instance"), **settings)

    # Connection

    def connect(self, timeout: float | None = None) -> Client:
        """
        Connect, and return this client.

        Returns when the connection is open and each instance's namespace is joined or
        known to be pending (the server makes it with the instance's first event).
        An open connection returns at once.

        Args:
            timeout:
                Seconds in which to try again and again. None makes one attempt, of at most
                *connect_timeout* seconds, and raises what it met.

        Raises:
            AuthenticationError: The server refused the key.
            WebsocketDisabledError: The server's websocket is switched off.
            ConnectError: It cannot be reached.
            TimeoutError: Time ran out without a clearer cause.
            ClientClosed: This client was closed; make a new one.
        """
        connection = self._core.connection
        started = self._core.start()
        failures = connection.failures

        def is_settled() -> bool:
            gave_up = timeout is None and connection.failures > failures
            return gave_up or connection.has_ended() or connection.session is not None

        settled = connection.wait_until(is_settled, timeout)
        if connection.session is not None:
            return self
        error = self._why_not_open(timeout if not settled else None)
        if started and not connection.has_ended():
            connection.abandon(error if isinstance(error, EvolutionError) else ClientClosed(""))
        raise error

    def _why_not_open(self, timeout: float | None) -> Exception:
        connection = self._core.connection
        if connection.state in (ConnectionState.CLOSED, ConnectionState.CLOSING):
            return ClientClosed("the client is closed; make a new one")
        if connection.error is not None:
            return connection.error
        return TimeoutError(
            f"no connection to {self._core.address} within {timeout or 0:g} seconds"
        )

    def wait_connected(self, timeout: float | None = None) -> None:
        """
        Wait until the connection is open, which something else has to bring about.

        Args:
            timeout:
                Longest wait in seconds; None has no limit, 0 only looks.

        Raises:
            TimeoutError: It was not open in time.
            EvolutionError: It never will be: the client is closed or failed for good.
        """
        connection = self._core.connection
        ends = (ConnectionState.CLOSED, ConnectionState.FAILED)
        done = connection.wait_until(
            lambda: connection.session is not None or connection.state in ends, timeout
        )
        if connection.session is None:
            raise (
                self._why_not_open(timeout)
                if done
                else TimeoutError(
                    f"no connection to {self._core.address} within {timeout or 0:g} seconds"
                )
            )

    def close(self, timeout: float | None = None) -> bool:
        """
        End the connection, the callbacks and all loops; what was emitted is sent first.

        May be called any number of times, from any thread, callbacks included.
        Events that arrived can still be read.

        Args:
            timeout:
                Longest time in seconds; None stands for *close_timeout*.

        Returns:
            Whether everything ended in time; a callback that does not return is left behind.
        """
        return self._core.close(self._core.config.close_timeout if timeout is None else timeout)

    disconnect = close

    def __enter__(self) -> Client:
        return self.connect()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def state(self) -> ConnectionState:
        """Where the client stands now."""
        return self._core.connection.state

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open now."""
        return self._core.connection.session is not None

    @property
    def namespaces(self) -> dict[str, NamespaceState | str]:
        """Each namespace with its state, or with the server's words where it refused."""
        return self._core.connection.joins.snapshot()

    @property
    def stats(self) -> Stats:
        """The counters, as a snapshot."""
        return self._core.stats()

    # Receiving

    def events(
        self,
        *types: str,
        instance: Names = None,
        timeout: float | None = None,
        limit: int | None = None,
    ) -> Iterator[Any]:
        """
        Return a blocking iterator over the events of the inbox.

        See :meth:`Subscription.events` for arguments and errors. Events that do
        not match are taken from the inbox as well; for two loops of different
        kinds use :meth:`subscribe`.
        """
        return self._the_inbox().iterate(types, instance, timeout, limit, self)

    def get(self, timeout: float | None = None) -> Any:
        """Remove the oldest event from the inbox and return it; see :meth:`Subscription.get`."""
        return self._the_inbox().get(timeout)

    def _the_inbox(self) -> Subscription:
        if self._inbox is None:
            raise ConfigError(
                "this client has no inbox (queue_size=0, or run() was called); use subscribe()"
            )
        return self._inbox

    def subscribe(
        self,
        *types: str,
        instance: Names = None,
        maxsize: int | None = None,
        overflow: Overflow | None = None,
    ) -> Subscription:
        """
        Return an independent stream of the events from now on.

        Args:
            types:
                Names of events, in any spelling; none of them, or ``"*"``, for all. The lifecycle
                events (``"connect"``, ``"disconnect"``, ``"connect_error"``, ``"gap"``) have to be
                named.
            instance:
                Name or names of instances; None for all of this client.
            maxsize:
                Events that may wait; None stands for *queue_size*.
            overflow:
                What a full queue does; None stands for the client's policy.

        Raises:
            ConfigError: A name is no name, or *maxsize* is below 1.
        """
        if maxsize is not None and maxsize < 1:
            raise ConfigError(f"maxsize has to be at least 1, not {maxsize}")
        core = self._core
        size = maxsize or core.config.queue_size or ClientConfig().queue_size
        queue = core.hub.new_queue("a subscription", size, overflow)
        consumer = Consumer(queue, self._names(types), instance_names(instance))
        return Subscription(core.hub, consumer, core.start, owner=self)

    def _names(self, types: tuple[str, ...]) -> frozenset[str] | None:
        core = self._core
        is_global = core.address.instances is None or core.config.global_events is True
        return event_names(types, is_global)

    def wait_for(
        self,
        *types: str,
        predicate: Callable[[Any], object] | None = None,
        instance: Names = None,
        timeout: float | None = None,
    ) -> Any:
        """
        Return the first event from now on that matches, without touching the inbox.

        To wait for what an action brings about, subscribe before acting::

            with client.subscribe("send.message") as sent:
                client.api.send_text("sales", number, "Hi")
                event = sent.get(timeout=10)

        Args:
            types:
                Names of events, lifecycle ones included; none for all events.
            predicate:
                Called with each of them, in this thread; a true answer ends the wait.
            instance:
                Name or names of instances; None for all.
            timeout:
                Longest wait in seconds; None has no limit.

        Raises:
            TimeoutError: None came in time.
            ClientClosed: The client was closed meanwhile.
            EvolutionError: The connection failed for good.
        """
        with self.subscribe(*types, instance=instance) as stream:
            for event in stream.events(timeout=timeout):
                if predicate is None or predicate(event):
                    return event
        raise ClientClosed("the client was closed while waiting for an event")

    # Callbacks

    def on(
        self,
        *types: str,
        callback: C | None = None,
        instance: Names = None,
        predicate: Callable[[Any], object] | None = None,
    ) -> Any:
        """
        Register a callback, as a decorator or with *callback*.

        Example::

            @client.on("messages.upsert", predicate=lambda event: not event.message.from_me)
            def answer(event):
                client.reply(event, "Olá!")

        Several callbacks may have the same event. They run one after the other, in order, on a
        thread of their own; the exception of one is logged, counted and handed to
        *on_error*, and stops nothing.

        Args:
            types:
                Names of events, in any spelling; ``"*"`` or none for all; ``"connect"``,
                ``"disconnect"``, ``"connect_error"`` and ``"gap"`` for the connection itself.
            callback:
                Takes the event, or nothing.
            instance:
                Name or names of instances; None for all.
            predicate:
                Gets the event; a false answer keeps it from the callback.

        Raises:
            ConfigError: The callback takes neither one argument nor none, or a name is no name.
        """
        names, instances = self._names(types), instance_names(instance)

        def register(function: C) -> C:
            self._core.callbacks.add(names, function, instances, predicate)
            self._core.dispatcher.refresh()
            if not self._core.connection.has_ended():
                self._core.dispatcher.start()
            return function

        return register if callback is None else register(callback)

    def off(self, callback: Callable[..., object]) -> bool:
        """Remove every registration of *callback*; return whether there was one."""
        found = self._core.callbacks.remove(callback)
        self._core.dispatcher.refresh()
        return found

    def run(self) -> None:
        """
        Connect, then block while callbacks run, until :meth:`close` or Ctrl-C.

        The inbox is closed, so that nothing piles up in it.

        Raises:
            EvolutionError: The connection failed for good: key refused, attempts used up.
        """
        if self._inbox is not None:
            self._inbox.close()
            self._inbox = None
        connection = self._core.connection
        try:
            self._core.start()
            connection.wait_until(connection.has_ended, None)
        except KeyboardInterrupt:
            self.close()
        if connection.state is ConnectionState.FAILED and connection.error is not None:
            self._core.close(self._core.config.close_timeout)
            raise connection.error

    # Emitting

    def emit(
        self,
        event: str,
        data: Any = None,
        *,
        instance: str | None = None,
        namespace: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """
        Send an event to the server.

        Returns once it is on its way to the socket. No acknowledgement is asked for, so
        an event that meets a breaking connection is lost; :meth:`close` and the end
        of the process send what waits. An Evolution server listens to ``sendNode`` on
        ``"/"`` only; messages are sent over REST (:meth:`reply`, :attr:`api`).

        Args:
            event:
                Its name, as the server expects it.
            data:
                Anything that has a JSON form, with bytes anywhere in it; a tuple stands for
                several arguments, None for none.
            instance:
                Sends in this instance's namespace. Without it and *namespace*: that of the
                client's only instance, else ``"/"``.
            namespace:
                Sends in this namespace.
            timeout:
                Seconds to wait for the connection, connecting if need be; None does not wait.

        Raises:
            NotConnectedError: There is no connection, or the namespace is not joined.
            PayloadTooLarge: The server would cut the connection; nothing was sent.
            QueueOverflow: The server has stopped reading.
            ConfigError: The name is reserved, or the arguments contradict each other.
            ClientClosed: The client is closed.
            TypeError, ValueError: The data has no JSON form.
        """
        self._core.emitter.emit(event, data, instance, namespace, timeout)

    def call(
        self,
        event: str,
        data: Any = None,
        *,
        timeout: float = 10.0,
        instance: str | None = None,
        namespace: str | None = None,
    ) -> Any:
        """
        Send an event and return the server's acknowledgement.

        An Evolution server never acknowledges, so that there this always ends in
        :exc:`TimeoutError`; it is of use with servers built around it.

        Args:
            timeout:
                Longest time in seconds, waiting for a connection included.

        Returns:
            The value that the server answered, a tuple of several, or None for none.

        Raises:
            TimeoutError: No answer in time.
            ConnectionLost: The connection dropped before the answer came.
            EvolutionError, TypeError, ValueError: As for :meth:`emit`.
        """
        return self._core.emitter.call(event, data, instance, namespace, timeout)

    def __repr__(self) -> str:
        names = self._core.address.instances
        which = "all instances" if names is None else ", ".join(names)
        return f"<Client {self._core.address} ({which}) {self.state.value}>"


def _config(config: ClientConfig | None, options: dict[str, Any]) -> ClientConfig:
    try:
        return attrs.evolve(config, **options) if config is not None else ClientConfig(**options)
    except TypeError:
        known = [field.name for field in attrs.fields(ClientConfig)]
        unknown = sorted(set(options) - set(known))
        if not unknown:
            raise
        raise ConfigError(
            f"unknown option {', '.join(unknown)}; there are {', '.join(sorted(known))}"
        ) from None
