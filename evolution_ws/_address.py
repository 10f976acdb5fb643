"""Where a client connects to: the pieces of the URL that a user gave."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import attrs

from ._redaction import redacted_url
from .exceptions import ConfigError


_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


@attrs.frozen
class Address:
    """One server, and the instances wanted there."""

    origin: str
    """Scheme (http or https), host and port, without a trailing slash."""

    prefix: str
    """Path of a reverse proxy before the server's own paths; empty or ``/some/path``."""

    instances: tuple[str, ...] | None
    """Names of the instances; None stands for all of them."""

    api_key: str | None = attrs.field(repr=False)
    """The key that was part of the URL."""

    @property
    def base_url(self) -> str:
        """Return the URL under which the REST routes live."""
        return self.origin + self.prefix

    @property
    def socketio_path(self) -> str:
        """Return the path of the socket.io endpoint, as python-socketio wants it."""
        return f"{self.prefix}/socket.io".strip("/")

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Return the namespaces of the instances, ``/`` left out."""
        return tuple("/" + name for name in self.instances or ())

    def __str__(self) -> str:
        return self.base_url


def parse_address(url: str, instance: str | Iterable[str] | None = None) -> Address:
    """
    Take *url* apart.

    Args:
        url:
            An http, https, ws or wss URL. Without *instance* a ws or wss URL may
            name the instance by its last path segment.
        instance:
            One name, several names, or None / ``"*"`` for every instance.

    Raises:
        ConfigError: The URL or a name cannot work.
    """
    parts = _split(url)
    key, path = _key_of(parts), parts.path.rstrip("/")
    names = _names(instance)
    if instance is None and parts.scheme.lower() in ("ws", "wss") and path:
        path, _, last = path.rpartition("/")
        names = _names(unquote(last))
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port is not None else ""
    origin = f"{_SCHEMES[parts.scheme.lower()]}://{host}{port}"
    return Address(origin, path, names, key)


def _split(url: str) -> SplitResult:
    if not isinstance(url, str) or not url.strip():
        raise ConfigError(
            "the URL is empty; give the server's address, such as https://api.example.com"
        )
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018 - raises ValueError when it is no port
    except ValueError:  # whose text may hold a password
        shown = redacted_url(url)
        raise ConfigError(f"the URL {shown!r} cannot be read; look at host and port") from None
    shown = redacted_url(url)
    if parts.scheme.lower() not in _SCHEMES:
        raise ConfigError(f"the URL {shown!r} has to start with http, https, ws or wss, then ://")
    if not parts.hostname:
        raise ConfigError(f"the URL {shown!r} names no host")
    if not can_be_a_name(parts.hostname):
        raise ConfigError(
            f"the URL {shown!r} names a host that cannot exist: between its dots there have to be "
            "1 to 63 letters, digits or hyphens"
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"take user and password out of the URL {shown!r}; use headers=")
    if parts.fragment:
        raise ConfigError(f"the URL {shown!r} must not have a fragment (#…)")
    return parts


def can_be_a_name(host: str) -> bool:
    """Return whether *host* can be looked up at all; what is an address can."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _key_of(parts: SplitResult) -> str | None:
    query = parse_qs(parts.query)
    key = query.pop("apikey", [None])[-1]
    if query:
        names = ", ".join(sorted(query))
        raise ConfigError(f"the URL's query may only hold apikey, not {names}")
    return key


def _names(instance: str | Iterable[str] | None) -> tuple[str, ...] | None:
    if instance is None or instance == "*":
        return None
    names = (instance,) if isinstance(instance, str) else tuple(instance)
    for name in names:
        _check_name(name)
    # Some write the namespace for the instance.
    names = tuple(name.removeprefix("/") for name in names)
    if not names:
        raise ConfigError("no instance was named; leave *instance* out to listen to all of them")
    return tuple(dict.fromkeys(names))


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip("/"):
        raise ConfigError("an instance's name has to be a str that is not empty")
    if name == "*":
        raise ConfigError('"*" means every instance and cannot be combined with names')
    if "," in name or "?" in name:
        raise ConfigError(
            f"the instance {name!r} cannot be listened to: socket.io's packet grammar has no place "
            "for ',' and '?' in a namespace. Rename the instance, or use the server's global mode "
            'with instance="*"'
        )
