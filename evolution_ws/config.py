"""Everything that can be set about a client, with its default."""

from __future__ import annotations

import enum
import os
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from numbers import Real
from pathlib import Path
from typing import Any

import attrs

from ._redaction import MASK
from .exceptions import ConfigError


__all__ = ["Backoff", "ClientConfig", "Overflow"]

MIB = 1024 * 1024


class Overflow(enum.Enum):
    """What a full queue does with the next event."""

    DROP_OLDEST = "drop_oldest"
    """Throw away the oldest event that waits; count it."""

    DROP_NEWEST = "drop_newest"
    """Throw away the event that arrives; count it."""

    BLOCK = "block"
    """Hold the connection back for at most *put_timeout*, then act as DROP_OLDEST."""

    RAISE = "raise"
    """End the stream: the consumer gets :exc:`~evolution_ws.QueueOverflow`."""


# No socket waits for much longer than three weeks.
_LONGEST = 86_400


def _number(attribute: attrs.Attribute[Any], value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ConfigError(f"{attribute.name} has to be a number, not {value!r}")
    return value


def _positive(_: Any, attribute: attrs.Attribute[Any], value: float) -> None:
    if not _number(attribute, value) > 0:
        raise ConfigError(f"{attribute.name} has to be greater than 0, not {value!r}")


def _not_negative(_: Any, attribute: attrs.Attribute[Any], value: float) -> None:
    if not _number(attribute, value) >= 0:
        raise ConfigError(f"{attribute.name} must not be negative: {value!r}")


def _seconds(_: Any, attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0 < _number(attribute, value) <= _LONGEST:
        raise ConfigError(
            f"{attribute.name} has to be greater than 0 seconds and at most a day "
            f"({_LONGEST}), not {value!r}"
        )


@attrs.frozen(kw_only=True)
class Backoff:
    """
    The pauses between attempts to connect.

    Example::

        Client(url, backoff=Backoff(maximum=5, attempts=10))
    """

    initial: float = attrs.field(default=0.5, validator=_seconds)
    """First pause in seconds."""

    maximum: float = attrs.field(default=30.0, validator=_seconds)
    """Longest pause in seconds."""

    factor: float = attrs.field(default=2.0, validator=_positive)
    """How much longer each pause is than the one before."""

    jitter: float = attrs.field(default=0.5, validator=_not_negative)
    """Share of a pause that is left to chance, from 0 (none) to 1 (all of it)."""

    attempts: int | None = attrs.field(default=None)
    """Attempts in a row before giving up; None never gives up."""

    @attempts.validator
    def _check_attempts(self, _: Any, value: int | None) -> None:
        if value is not None and value < 1:
            raise ConfigError(f"attempts has to be at least 1, or None for no limit, not {value!r}")

    @jitter.validator
    def _check_jitter(self, _: Any, value: float) -> None:
        if value > 1:
            raise ConfigError(f"jitter has to be between 0 and 1, not {value!r}")

    def delays(self) -> Iterator[float]:
        """Yield the pause in seconds before each further attempt."""
        delay = self.initial
        given = 1
        while self.attempts is None or given < self.attempts:
            shown = min(delay, self.maximum)
            # Many clients lose a restarted server at the same moment: spread them.
            yield shown * (1 - self.jitter * random.random())
            delay = min(delay * self.factor, self.maximum)
            given += 1


def _to_overflow(value: Overflow | str) -> Overflow:
    try:
        return Overflow(value.lower()) if isinstance(value, str) else Overflow(value)
    except ValueError:
        names = ", ".join(policy.value for policy in Overflow)
        raise ConfigError(f"overflow has to be one of {names}, not {value!r}") from None


def _to_aware(value: datetime | str | None) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            raise ConfigError(f"since has to be an ISO date and time, not {value!r}") from None
    if value is not None and value.tzinfo is None:
        raise ConfigError("since needs a time zone, such as datetime.now(timezone.utc)")
    return value.astimezone(timezone.utc) if value is not None else None


def _to_path(value: str | os.PathLike[str] | None) -> str | None:
    return None if value is None else os.fspath(value)


def _to_dict(value: Mapping[str, str]) -> dict[str, str]:
    return dict(value)


def _proxy_repr(value: str | None) -> str:
    # A proxy's URL may hold a password.
    return repr(value if value in ("env", None) else MASK)


@attrs.frozen(kw_only=True)
class ClientConfig:
    """
    The settings of a :class:`~evolution_ws.Client`.

    Any field may be given to the client as a keyword instead. Times are in
    seconds, at most a day; sizes in bytes unless they count events.
    """

    backoff: Backoff = attrs.field(factory=Backoff)
    """Pauses between attempts to connect."""

    connect_timeout: float = attrs.field(default=10.0, validator=_seconds)
    """Longest time for one attempt to connect, from the name look-up to the joined namespace."""

    close_timeout: float = attrs.field(default=5.0, validator=_seconds)
    """Longest time that :meth:`Client.close` takes, unless told otherwise."""

    queue_size: int = attrs.field(default=10_000, validator=_not_negative)
    """Events that may wait in the inbox; 0 leaves the client without an inbox."""

    queue_bytes: int = attrs.field(default=64 * MIB, validator=_positive)
    """Memory that waiting events may take, in each queue."""

    overflow: Overflow = attrs.field(default=Overflow.DROP_OLDEST, converter=_to_overflow)
    """What a full queue does."""

    put_timeout: float = attrs.field(default=5.0, validator=_seconds)
    """How long :attr:`Overflow.BLOCK` holds the connection back. While it does, the server's pings
    go unanswered, so it has to stay well under the server's ping timeout (20 seconds)."""

    callback_workers: int = attrs.field(default=1, validator=_positive)
    """Threads that run callbacks. With more than one, events of one chat stay in order."""

    callback_context: Callable[[], AbstractContextManager[object]] | None = None
    """Makes a context manager that is entered around each callback."""

    on_error: Callable[[Exception, Any], object] | None = None
    """Gets the exception that a callback raised, and the event."""

    global_events: bool | None = None
    """None finds out whether the server is in global mode; True listens to ``/`` alone; False
    leaves ``/`` once all instances are joined."""

    backfill: bool = True
    """Fetch the messages of a gap from the server's history, over REST and with the api key."""

    since: datetime | None = attrs.field(default=None, converter=_to_aware)
    """Also fetch the messages stored since then on the first connection."""

    durable: str | None = attrs.field(default=None, converter=_to_path)
    """
    File in which events stay until they are done; None keeps them in memory alone.

    It is for what loops over the client itself take, and for callbacks; with *queue_size* 0 for
    callbacks only. Streams of :meth:`Client.subscribe` are in memory. What is not done when the
    process ends is delivered again, marked ``redelivered``: an event at which a loop was left or
    a callback failed, too. Each client needs a file of its own, on a local disk.
    """

    durable_bytes: int = attrs.field(default=1024 * MIB, validator=_positive)
    """Bytes that events which are not done may take on the disk, for loops and for each callback
    thread; beyond that, *overflow* applies to them."""

    auto_ack: bool = True
    """Whether an event of the durable inbox is done when its consumer comes back for the next one,
    or its callbacks have returned. With False it is done when :meth:`Event.ack` was called."""

    configure: bool = False
    """Switch on, over REST and on the first connection, the events that the consumers want."""

    verify: bool | str = True
    """Check the server's certificate; a str is the path of the authorities to trust instead."""

    cert: str | tuple[str, str] | None = None
    """Client certificate: a PEM file, or certificate and key files."""

    proxy: str | None = attrs.field(default="env", repr=_proxy_repr)
    """``"env"`` reads the environment (http_proxy, https_proxy, no_proxy), None uses no proxy,
    anything else is the proxy's URL: ``http://…``, or ``socks5h://…`` with the extra ``socks``."""

    headers: Mapping[str, str] = attrs.field(factory=dict, converter=_to_dict, repr=False)
    """Further HTTP headers for the handshake and for REST calls."""

    origin: str | None = None
    """Value of the ``Origin`` header, for servers that limit CORS origins."""

    max_event_bytes: int = attrs.field(default=64 * MIB, validator=_positive)
    """Largest event accepted from the server; a larger one ends the connection."""


def make_config(config: ClientConfig | None, options: dict[str, Any]) -> ClientConfig:
    """
    Return *config*, or the default one, with *options* in place of some fields.

    Raises:
        ConfigError: There is no such option, or a value cannot work.
    """
    known = [field.name for field in attrs.fields(ClientConfig)]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ConfigError(
            f"unknown option {', '.join(unknown)}; there are {', '.join(sorted(known))}"
        )
    return attrs.evolve(config, **options) if config is not None else ClientConfig(**options)


def arguments_from_env(prefix: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """
    Return the arguments of a client that *environ* sets; ``url`` is empty when it does not.

    Raises:
        ConfigError: A value is not of its field's type.
    """
    names = [name.strip() for name in environ.get(f"{prefix}INSTANCE", "").split(",")]
    return {
        **config_from_env(prefix, environ),
        "url": environ.get(f"{prefix}URL", "").strip(),
        "instance": [name for name in names if name and name != "*"] or None,
        "api_key": environ.get(f"{prefix}API_KEY") or None,
    }


def config_from_env(prefix: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """
    Return the fields of :class:`ClientConfig` that *environ* sets.

    Raises:
        ConfigError: A value is not of its field's type.
    """
    found = _values_from_env(prefix, environ, _FROM_TEXT)
    backoff = _values_from_env(f"{prefix}BACKOFF_", environ, _BACKOFF_FROM_TEXT)
    if backoff:
        found["backoff"] = Backoff(**backoff)
    return found


def _values_from_env(
    prefix: str, environ: Mapping[str, str], converters: Mapping[str, Callable[[str], Any]]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, convert in converters.items():
        text = environ.get(prefix + name.upper(), "").strip()
        if text:
            try:
                found[name] = convert(text)
            except ValueError as exc:
                problem = exc if isinstance(exc, ConfigError) else "the value does not fit"
                raise ConfigError(f"{prefix}{name.upper()}: {problem}") from None
    return found


def _flag(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    try:
        return words[text.lower()]
    except KeyError:
        raise ConfigError("use true or false") from None


def _flag_or_none(text: str) -> bool | None:
    return None if text.lower() in ("auto", "none") else _flag(text)


def _flag_or_path(text: str) -> bool | str:
    try:
        return _flag(text)
    except ConfigError:
        return str(Path(text))


def _cert(text: str) -> str | tuple[str, str]:
    first, comma, second = text.partition(",")
    return (first.strip(), second.strip()) if comma else first


_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "connect_timeout": float,
    "close_timeout": float,
    "queue_size": int,
    "queue_bytes": int,
    "overflow": str,
    "put_timeout": float,
    "callback_workers": int,
    "global_events": _flag_or_none,
    "backfill": _flag,
    "since": str,
    "durable": str,
    "durable_bytes": int,
    "auto_ack": _flag,
    "configure": _flag,
    "verify": _flag_or_path,
    "cert": _cert,
    "proxy": lambda text: None if text.lower() == "none" else text,
    "origin": str,
    "max_event_bytes": int,
}

_BACKOFF_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "initial": float,
    "maximum": float,
    "factor": float,
    "jitter": float,
    "attempts": int,
}
