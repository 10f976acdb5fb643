"""What the key opens, whether the instances exist, and which events their settings select."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from ..event_types import GLOBAL_ONLY, config_name
from ..exceptions import ApiError, EvolutionError, WebsocketDisabledError
from ..rest import Api, WebsocketSettings
from ._findings import Finding, failure, ok, warning
from ._site import Site


def check_key(site: Site, api: Api) -> Iterator[Finding]:
    """Find out whose key it is, by what it may see."""
    try:
        rows = api.instances()
    except ApiError as exc:
        if exc.status in (401, 403):
            yield _key_refused(site, api)
        else:
            yield _not_listed(exc)
        return
    site.rows = {row.name: row for row in rows}
    if not site.key:
        yield ok("key", "none was given, and the server asks for none")
        return
    owners = [row.name for row in rows if site.key in (row.raw.get("token"), row.raw.get("apikey"))]
    if not owners:
        yield ok("key", f"the server's global key, which sees {len(rows)} instance(s)")
    elif site.instances is None or set(site.instances) & set(owners):
        yield ok("key", f"the token of the instance {', '.join(owners)}")
    else:
        yield warning(
            "key",
            f"the token of another instance, {', '.join(owners)}: events arrive with it, REST "
            "calls for this one are refused",
            "Take the instance's own token, or the server's global key",
        )


def _not_listed(exc: ApiError) -> Finding:
    # A hint that only names the route is of no help.
    hint = "" if exc.hint.startswith("[") else exc.hint
    remedy = hint or "Have the proxy pass the REST routes on, too; events arrive without them"
    return warning("key", f"the instances cannot be listed: {_said(exc)}", remedy)


def _key_refused(site: Site, api: Api) -> Finding:
    if site.key and any(_may_ask(api, name) for name in site.instances or ()):
        return ok("key", "the token of the instance")
    site.is_locked_out = True
    if not site.key:
        lets_in = "; the socket lets this address in without" if site.is_socket_open else ""
        found = failure if not site.is_socket_open else warning
        return found(
            "key",
            f"none was given, and REST asks for one{lets_in}",
            "Set EVOLUTION_API_KEY or give --api-key-file: without it there is no history and no "
            "look at the settings",
        )
    if site.is_socket_open:
        return warning(
            "key",
            "REST refuses it; the socket accepts any key from this address "
            "(WEBSOCKET_ALLOWED_HOSTS, or a version that asks for none)",
            "Take the server's AUTHENTICATION_API_KEY or the instance's token",
        )
    return failure(
        "key",
        "REST refuses it, too: instances and settings cannot be looked at",
        "Take the server's AUTHENTICATION_API_KEY or the token of one of its instances",
    )


def _may_ask(api: Api, instance: str) -> bool:
    try:
        api.connection_state(instance)
    except EvolutionError:
        return False
    return True


def check_instances(site: Site, api: Api) -> Iterator[Finding]:
    """Look whether each instance exists and is connected to WhatsApp."""
    names = site.instances
    if names is None:
        names = tuple(site.rows or ())
        if not names:
            yield warning("instance", "there is none to be seen", "Create one, or use another key")
    for name in names:
        yield _instance(site, api, name)


def _instance(site: Site, api: Api, name: str) -> Finding:
    try:
        state = api.connection_state(name)
    except ApiError as exc:
        if exc.status == 404:
            site.unknown.add(name)
            return failure("instance", f"{name} does not exist on this server", _hint(site, name))
        return warning("instance", f"{name} cannot be asked about: {_said(exc)}", exc.hint)
    if state == "open":
        return ok("instance", f"{name} exists and is connected to WhatsApp")
    if state is None:
        return warning("instance", f"{name} exists, but the server has not loaded it", _RESTART)
    evidence = f"{name} exists, but its WhatsApp state is {state}"
    if state == "connecting":
        return warning("instance", evidence, f"Scan its code: GET /instance/connect/{name}")
    return failure(
        "instance",
        f"{evidence}: no messages come",
        f"Connect it again and scan its code (GET /instance/connect/{name}, or the manager page)",
    )


_RESTART = "Restart the server, and look at its log"


def _hint(site: Site, name: str) -> str:
    known = list(site.rows or ())
    same = [one for one in known if one.strip().lower() == name.strip().lower()]
    near = same or difflib.get_close_matches(name, known, n=1)
    if near:
        return f"Did you mean {near[0]}? Capitals count"
    if known:
        return f"The key sees {', '.join(known[:8])}"
    return "Check the spelling (capitals count), or create it"


def read_settings(site: Site, api: Api) -> Iterator[Finding]:
    """Fetch the websocket settings; yields only what keeps them from being read."""
    for name in site.instances or tuple(site.rows or ()):
        try:
            site.settings[name] = api.get_websocket(name)
        except WebsocketDisabledError:
            yield failure(
                "settings",
                "websockets are switched off on the server: it stores no settings",
                "Set WEBSOCKET_ENABLED=true on the server and restart it",
            )
            return
        except ApiError as exc:
            if exc.status != 404:  # that was said already
                yield warning("settings", f"those of {name} are hidden: {_said(exc)}", exc.hint)


def missing(site: Site, name: str) -> tuple[str, ...]:
    """Return the wanted events that the setting of *name* does not select, by settings' names."""
    setting = site.settings.get(name)
    have = setting.events if setting is not None and setting.enabled else ()
    wanted = [config_name(event) for event in site.wanted if event not in GLOBAL_ONLY]
    return tuple(event for event in wanted if event not in have)


def judge_settings(site: Site, is_global: bool) -> Iterator[Finding]:
    """Compare the settings with the wanted events."""
    for name in site.settings:
        yield _judged(site, name, is_global)
    misfits = sorted(GLOBAL_ONLY.intersection(site.wanted))
    if misfits and not is_global:
        yield warning(
            "settings",
            f"{', '.join(misfits)} cannot be selected: the settings know GROUP_UPDATE, the server "
            "looks for GROUPS_UPDATE",
            "Only global mode delivers it: WEBSOCKET_GLOBAL_EVENTS=true on the server",
        )


def _judged(site: Site, name: str, is_global: bool) -> Finding:
    lacking = missing(site, name)
    if not lacking:
        return ok("settings", f"{name} sends what is wanted ({_listed(site.settings[name])})")
    evidence = f"{name}: {_state(site.settings[name])}, so {', '.join(lacking)} is not sent"
    if is_global:
        return ok("settings", f"{evidence} to its namespace; global mode sends everything")
    return failure(
        "settings", evidence, "Run this again with --fix, or call client.ensure_events()"
    )


def _state(setting: WebsocketSettings | None) -> str:
    if setting is None:
        return "its websocket was never set"
    if not setting.enabled:
        return "its websocket is off"
    shown = ", ".join(setting.events[:3])
    more = f" and {len(setting.events) - 3} more" if len(setting.events) > 3 else ""
    return f"its websocket selects {shown}{more}"


def _listed(setting: WebsocketSettings | None) -> str:
    count = len(setting.events) if setting is not None else 0
    return f"{count} kind{'s' if count != 1 else ''} of events"


def fix_settings(site: Site, api: Api, name: str) -> Finding:
    """Switch on what is missing for *name*."""
    try:
        added = api.ensure_events(name, missing(site, name))
        site.settings[name] = api.get_websocket(name)
    except EvolutionError as exc:
        return failure("fix", f"the settings of {name} cannot be changed: {exc}", "See above")
    return ok("fix", f"switched on {', '.join(added)} for {name}")


def _said(exc: ApiError) -> str:
    return f"HTTP {exc.status}: {'; '.join(exc.messages)}" if exc.status else str(exc)
