"""The client: what a program that blocks holds in its hands."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._address import parse_address
from ._core import Core
from ._receiver import Names, Receiver
from .config import ClientConfig, arguments_from_env, make_config
from .exceptions import ConfigError
from .state import ConnectionState, NamespaceState, Stats
from .subscription import instance_names


if TYPE_CHECKING:
    from .rest import Api

__all__ = ["Client"]


class Client(Receiver):
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
        core = Core(parse_address(url, instance), make_config(config, options), api_key)
        super().__init__(core)
        # Not at exit: a hook of its own flushes and closes in order there.
        weakref.finalize(self, core.request_close).atexit = False

    @classmethod
    def from_env(
        cls, prefix: str = "EVOLUTION_", environ: Mapping[str, str] | None = None, **options: Any
    ) -> Client:
        """
        Make a client from environment variables.

        Reads ``EVOLUTION_URL``, ``EVOLUTION_INSTANCE`` (comma separated), ``EVOLUTION_API_KEY`` and
        the fields of :class:`ClientConfig` by name, such as ``EVOLUTION_QUEUE_SIZE``, but for
        *headers* and what is a function.

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
        settings = arguments_from_env(prefix, os.environ if environ is None else environ) | options
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
        failures = connection.failures  # before the start: the first attempt may fail at once
        connection.wait_open(self._core.start(), timeout, failures)
        return self

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
        self._core.connection.wait_for_others(timeout)

    def close(self, timeout: float | None = None) -> bool:
        """
        End the connection, the callbacks and all loops; what was emitted is sent first.

        May be called any number of times, from any thread, callbacks and handlers of signals
        included. Events that arrived can still be read.

        Args:
            timeout:
                Longest time in seconds; None stands for *close_timeout*.

        Returns:
            Whether everything ended in time; a callback that does not return is left behind. In
            the handler of a signal that struck while the client was being connected, False: it
            ends when the handler has returned.
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
    def config(self) -> ClientConfig:
        """The settings, with all defaults filled in."""
        return self._core.config

    @property
    def instances(self) -> tuple[str, ...] | None:
        """Names of the instances that this client listens to; None for every instance."""
        return self._core.address.instances

    @property
    def namespaces(self) -> dict[str, NamespaceState | str]:
        """Each namespace with its state, or with the server's words where it refused."""
        return self._core.connection.joins.snapshot()

    @property
    def stats(self) -> Stats:
        """The counters, as a snapshot."""
        return self._core.stats()

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

    # REST

    @property
    def api(self) -> Api:
        """
        The REST companion, with this client's server, key and settings.

        It is made when it is first asked for and shared from then on; it goes on to work
        after :meth:`close`.
        """
        return self._core.api()

    def reply(self, event: Any, text: str, *, quote: bool = False, **options: Any) -> Any:
        """
        Answer a message in its chat, over REST.

        Args:
            event:
                The message event.
            text:
                What to write.
            quote:
                Whether to quote the message.
            options:
                Further arguments of :meth:`Api.send_text`.

        Returns:
            The server's answer, see :meth:`Api.send_text`.

        Raises:
            ConfigError: The event is no message or names no chat.
            ApiError: The server did not take it.
        """
        message = getattr(event, "message", None)
        chat = getattr(message, "chat", None)
        if message is None or not chat:
            raise ConfigError(f"{event.type} is no message that could be answered")
        if quote:
            options.setdefault("quoted", message)
        return self.api.send_text(event.instance, chat, text, **options)

    def ensure_events(self, *types: str, instance: Names = None) -> dict[str, tuple[str, ...]]:
        """
        See to it that the server sends events of *types*; nothing is switched off.

        Args:
            types:
                Names of events, in any spelling.
            instance:
                Name or names of instances; None for those of this client.

        Returns:
            For each instance the names that were added to its settings, in the server's spelling.

        Raises:
            ConfigError: No event or no instance is named.
            WebsocketDisabledError: The server's websocket is switched off.
            ApiError: The settings could not be read or changed.
        """
        names = instance_names(instance) or self._core.address.instances
        if not names or not types:
            raise ConfigError("name the events, and the instances if the client has all of them")
        return {name: self.api.ensure_events(name, types) for name in sorted(names)}

    def __repr__(self) -> str:
        names = self._core.address.instances
        which = "all instances" if names is None else ", ".join(names)
        return f"<Client {self._core.address} ({which}) {self.state.value}>"

    def _repr_html_(self) -> str:
        from ._client_html import client_html  # nobody but a notebook pays for it

        return client_html(self, str(self._core.address))
