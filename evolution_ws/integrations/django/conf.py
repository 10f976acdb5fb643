"""The setting ``EVOLUTION_WS``: one connection, or several under aliases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from ... import ClientConfig, ConfigError


__all__ = ["DEFAULT_ALIAS", "Connection", "connection", "read_settings"]

DEFAULT_ALIAS = "default"

KEYS = ("URL", "INSTANCE", "API_KEY", "EVENTS", "DURABLE", "OPTIONS")

EXAMPLE = (
    'EVOLUTION_WS = {"URL": "https://api.example.com", "INSTANCE": "sales", '
    '"API_KEY": os.environ["EVOLUTION_API_KEY"]}'
)

_OF_THE_LISTENER = {
    "durable": "DURABLE, beside OPTIONS: the file belongs to the listener alone",
    "auto_ack": "nothing: the listener acknowledges by itself",
    "callback_context": "nothing: the listener runs receivers in its own thread",
}


@attrs.frozen(kw_only=True)
class Connection:
    """What the setting says about one alias."""

    alias: str
    """Its name."""

    url: str
    """``URL``: address of the server."""

    instance: str | Iterable[str] | None = None
    """``INSTANCE``: a name or several; None and ``"*"`` for all."""

    api_key: str | Callable[[], str | None] | None = attrs.field(default=None, repr=False)
    """``API_KEY``: a str, or a callable that returns one."""

    events: tuple[str, ...] = ()
    """``EVENTS``: what the listener handles; empty for all events."""

    durable: str | None = None
    """``DURABLE``: file of the listener's inbox; None keeps events in memory."""

    options: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """``OPTIONS``: fields of :class:`~evolution_ws.ClientConfig`."""


def read_settings() -> dict[str, Mapping[str, Any]]:
    """
    Return the setting as a dict of aliases, whichever of its two forms it has.

    Raises:
        ConfigError: It is missing, or no dict.
    """
    value = getattr(settings, "EVOLUTION_WS", None)
    if value is None:
        raise ConfigError(f"the setting EVOLUTION_WS is missing; for example {EXAMPLE}")
    if not isinstance(value, Mapping) or not value:
        raise ConfigError(
            f"the setting EVOLUTION_WS has to be a dict, not {type(value).__name__}; for example "
            f"{EXAMPLE}"
        )
    if any(key in KEYS for key in value):
        return {DEFAULT_ALIAS: value}
    return {str(alias): entry for alias, entry in value.items()}


def connection(alias: str = DEFAULT_ALIAS) -> Connection:
    """
    Return what the settings say about *alias*.

    Raises:
        ImproperlyConfigured: They are wrong; ``manage.py check`` says the same.
    """
    try:
        entries = read_settings()
        if alias not in entries:
            known = ", ".join(sorted(entries))
            raise ConfigError(f"EVOLUTION_WS has no alias {alias!r}; it has {known}")
        return parse_connection(alias, entries[alias])
    except ConfigError as exc:
        raise ImproperlyConfigured(str(exc)) from exc


def parse_connection(alias: str, entry: object) -> Connection:
    """
    Return the connection that *entry* describes.

    Raises:
        ConfigError: A key or a value cannot work; what is checked when a client is made
            (addresses, names, ranges) is not checked here.
    """
    where = f"EVOLUTION_WS[{alias!r}]"
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where} has to be a dict with a 'URL', not {type(entry).__name__}")
    unknown = [str(key) for key in entry if key not in KEYS]
    if unknown:
        raise ConfigError(f"{where} has the unknown key {unknown[0]!r}; there are {_listed(KEYS)}")
    if not isinstance(entry.get("URL"), str) or not entry["URL"]:
        raise ConfigError(f"{where} needs a 'URL' such as 'https://api.example.com'")
    return Connection(
        alias=alias,
        url=entry["URL"],
        instance=entry.get("INSTANCE"),
        api_key=entry.get("API_KEY") or None,
        events=_names(where, entry.get("EVENTS") or ()),
        durable=None if entry.get("DURABLE") is None else str(entry["DURABLE"]),
        options=_options(where, entry.get("OPTIONS") or {}),
    )


def _names(where: str, events: object) -> tuple[str, ...]:
    if isinstance(events, str):
        return (str(events),)
    if not isinstance(events, Iterable) or not all(isinstance(name, str) for name in events):
        raise ConfigError(f"{where}['EVENTS'] has to be a list of names such as 'messages.upsert'")
    return tuple(events)


def _options(where: str, options: object) -> Mapping[str, Any]:
    if not isinstance(options, Mapping):
        raise ConfigError(f"{where}['OPTIONS'] has to be a dict, not {type(options).__name__}")
    known = [field.name for field in attrs.fields(ClientConfig)]
    for name in options:
        if name in _OF_THE_LISTENER:
            raise ConfigError(
                f"{where}['OPTIONS'] must not have {name!r}; use {_OF_THE_LISTENER[name]}"
            )
        if name not in known:
            raise ConfigError(
                f"{where}['OPTIONS'] has the unknown option {name!r}; there are {_listed(known)}"
            )
    return options


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
