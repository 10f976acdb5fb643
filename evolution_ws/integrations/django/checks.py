"""System checks: wrong settings are told by ``manage.py check``, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.checks import CheckMessage, Error

from ... import ConfigError
from ...event_types import is_known, nearest
from .clients import make_web_client
from .conf import EXAMPLE, Connection, parse_connection, read_settings


def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Return what is wrong with ``EVOLUTION_WS``; nothing is connected."""
    try:
        entries = read_settings()
    except ConfigError as exc:
        return [
            Error(str(exc).partition(";")[0], hint=f"Such as: {EXAMPLE}", id="evolution_ws.E001")
        ]
    return [problem for alias, entry in entries.items() for problem in _check(alias, entry)]


def _check(alias: str, entry: object) -> list[CheckMessage]:
    try:
        found = parse_connection(alias, entry)
    except ConfigError as exc:
        what, _, hint = str(exc).partition("; ")
        return [Error(what, hint=hint or None, id="evolution_ws.E002")]
    return [*_check_client(found), *_check_events(found), *_check_safety(found)]


def _check_client(found: Connection) -> list[CheckMessage]:
    try:
        make_web_client(found).close()
    except (ConfigError, TypeError) as exc:
        what, _, hint = str(exc).partition("; ")
        return [
            Error(
                f"EVOLUTION_WS[{found.alias!r}]: {what}",
                hint=hint or "See evolution_ws.Client and evolution_ws.ClientConfig.",
                id="evolution_ws.E003",
            )
        ]
    return []


def _check_events(found: Connection) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    for name in found.events:
        if name != "*" and not is_known(name):
            guess = nearest(name)
            hint = f"Did you mean {guess!r}?" if guess else "See evolution_ws.EventType."
            what = f"EVOLUTION_WS[{found.alias!r}]: no known server emits {name!r}."
            problems.append(checks.Warning(what, hint=hint, id="evolution_ws.W001"))
    return problems


def _check_safety(found: Connection) -> list[CheckMessage]:
    scheme, _, rest = found.url.partition("://")
    host = rest.partition("/")[0].rpartition("@")[2]
    is_local = host.startswith(("localhost", "127.", "[::1]")) or "." not in host
    if found.api_key and scheme in ("http", "ws") and not is_local:
        return [
            checks.Warning(
                f"EVOLUTION_WS[{found.alias!r}]: the api key travels in clear text.",
                hint="Use an https:// URL, or a host of your own network.",
                id="evolution_ws.W002",
            )
        ]
    return []
