"""The options of an embedded server, all of which may be changed while it runs."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence

from attrs import define, field

from ._instances import EVENTS, V1_EVENTS, Instance, declare


@define(kw_only=True, eq=False, slots=False, repr=False)
class Options:
    """Constructor arguments of :class:`~evolution_ws.testing.FakeEvolutionServer`."""

    instances: dict[str, Instance] = field(default=("test",), converter=declare)
    """Instances by name; given as a name or an iterable of names."""

    port: int = 0
    """Loopback port to listen on; 0 takes a free one."""

    ssl_context: ssl.SSLContext | None = None
    """Server side context that makes the address an ``https`` one; None is plain HTTP."""

    api_key: str | None = None
    """Global key that REST and handshake demand; None lets everybody in."""

    allowed_hosts: Sequence[str] = ()
    """Client addresses that need no key for the socket; ``"*"`` exempts everybody."""

    lazy: bool = False
    """
    Whether namespaces come into being as on a real server: with the first event.

    False makes those of the declared instances exist from the start.
    """

    websocket_enabled: bool = True
    """False behaves as a server whose websocket is switched off."""

    global_events: bool = False
    """Whether every event goes to ``/`` as well (and first)."""

    v1: bool = False
    """Behave as version 1.8: no auth on the socket, doubled events, other REST bodies."""

    version: str = ""
    """Version that the server claims; empty for 2.3.7, or 1.8.6 with *v1*."""

    expose_keys: bool = False
    """Whether events carry the instance's token, as badly configured servers do."""

    server_url: str | None = None
    """The ``server_url`` of events; None is the server's real address."""

    utc_offset: float | None = None
    """Seconds east of UTC of the server's wall clock; None is this machine's zone."""

    ping_interval: float = 25.0
    """Seconds between two pings to a client."""

    ping_timeout: float = 20.0
    """Seconds that a client has to answer a ping."""

    connect_timeout: float = 45.0
    """Seconds after which a connection that joined no namespace is closed."""

    join_delay: float = 0.0
    """Seconds before a client that joins a namespace is answered; inf is never."""

    max_payload: int = 1_000_000
    """Largest message in bytes that is accepted from a client."""

    store: bool = True
    """Whether message events are kept for ``findMessages``."""

    store_delay: float = 0.0
    """Seconds between the event of a message and its presence in ``findMessages``."""

    rest_delay: float = 0.0
    """Seconds before each REST answer."""

    not_on_whatsapp: set[str] = field(factory=set, converter=set)
    """Numbers to which ``sendText`` refuses to send."""

    media: dict[str, bytes] = field(factory=dict, converter=dict)
    """Content by message id, for ``getBase64FromMediaMessage``."""

    ack: Callable[[str, str, list[object]], object] | None = None
    """
    Answers emits that ask for an acknowledgement: ``ack(namespace, name, args)``.

    A tuple is several values, None is no answer. A real server never answers.
    """

    @property
    def claimed_version(self) -> str:
        """The version that ``GET /`` tells."""
        return self.version or ("1.8.6" if self.v1 else "2.3.7")

    @property
    def selectable_events(self) -> list[str]:
        """Names that a websocket setting may list in the claimed version."""
        if self.v1:
            return list(V1_EVENTS)
        newer = ["MESSAGING_HISTORY_SET"] if self.claimed_version.startswith("2.4") else []
        return [*EVENTS, *newer]
