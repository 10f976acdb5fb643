"""What is to be diagnosed, and what the checks have found out so far."""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs

from ..exceptions import ConfigError
from ..rest import InstanceInfo, WebsocketSettings
from ._arguments import Target
from ._probe import Probe, find_proxy, make_context


@attrs.define
class Site:
    """A server with the instances and events that are wanted of it."""

    target: Target
    probe: Probe
    prefix: str
    """Path before the server's own paths; empty or ``/some/path``."""
    instances: tuple[str, ...] | None
    """None stands for all of them."""
    wanted: tuple[str, ...]
    """Names of events on the wire."""

    is_evolution: bool = False
    """Whether the REST interface was found under the URL."""
    version: str = ""
    skew: float | None = None
    """Seconds by which the server's clock is ahead of this one; None when it is not known."""
    socket_refusal: str | None = None
    """The server's words when it refused the key for the socket."""
    is_socket_open: bool = False
    """Whether the websocket handshake succeeded."""
    is_locked_out: bool = False
    """Whether REST refuses the key, or asks for one that was not given."""
    rows: dict[str, InstanceInfo] | None = None
    """The instances that the key gives access to; None when they are not known."""
    unknown: set[str] = attrs.field(factory=set)
    """Names of instances that do not exist."""
    settings: dict[str, WebsocketSettings | None] = attrs.field(factory=dict)
    """The websocket setting of each instance that could be asked for it."""

    @property
    def key(self) -> str | None:
        """The api key."""
        return self.target.api_key

    @property
    def base(self) -> str:
        """The address, as it may be shown."""
        probe = self.probe
        host = f"[{probe.host}]" if ":" in probe.host else probe.host
        usual = {"http": 80, "https": 443}[probe.scheme]
        port = "" if probe.port == usual else f":{probe.port}"
        return f"{probe.scheme}://{host}{port}{self.prefix}"

    @property
    def key_header(self) -> dict[str, str]:
        """The header that carries the key; empty without one."""
        return {"apikey": self.key} if self.key else {}


def make_site(target: Target, wanted: tuple[str, ...], timeout: float) -> Site:
    """
    Return the site that *target* leads to, before anything is known about it.

    Raises:
        ConfigError: A file of certificates cannot be used.
    """
    parts = urlsplit(target.url.strip())
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme.lower(), parts.scheme.lower())
    host = parts.hostname or ""
    instances = target.named_instances()
    prefix = parts.path.rstrip("/")
    if target.instances is None and instances:
        prefix = prefix.rpartition("/")[0]  # the last segment named the instance
    config = target.config
    try:
        context = make_context(config.verify, config.cert) if scheme == "https" else None
    except OSError as exc:
        raise ConfigError(f"a file of certificates cannot be used: {exc.strerror}") from None
    headers = dict(config.headers)
    if config.origin is not None:
        headers["Origin"] = config.origin
    proxy = find_proxy(config.proxy, scheme, host)
    port = parts.port or (443 if scheme == "https" else 80)
    probe = Probe(scheme, host, port, proxy, context, headers, timeout)
    return Site(target, probe, prefix, instances, wanted)
