"""``/websocket/set`` and ``/websocket/find`` of an embedded server."""

from __future__ import annotations

from collections.abc import Mapping

from ._http import HttpAnswer
from ._instances import Instance
from ._options import Options
from ._problems import RestProblem


EMPTY_BODY = "application/json"
"""Content type of the empty answer of a server whose websocket is off."""


def set_websocket(options: Options, instance: Instance, body: Mapping[str, object]) -> HttpAnswer:
    """Replace the setting of *instance*, or answer what is wrong with *body*."""
    if options.v1:
        return _set_v1(options, instance, body)
    setting = body.get("websocket", ...)
    if setting is ...:
        raise RestProblem(500, "Cannot set properties of undefined (setting 'events')")
    if not isinstance(setting, Mapping):
        raise RestProblem(400, [["websocket is not of a type(s) object"]])
    _validate(setting, "websocket", options)
    if not options.websocket_enabled:
        return HttpAnswer(201, content_type=EMPTY_BODY)
    enabled = setting["enabled"] is True
    events = setting.get("events")
    if enabled and events is None:
        raise RestProblem(500, "Cannot read properties of undefined (reading 'length')")
    _apply(options, instance, enabled, events)
    return HttpAnswer.json(201, instance.websocket_row())


def find_websocket(options: Options, instance: Instance) -> HttpAnswer:
    """Show the setting of *instance*."""
    if options.v1:
        return HttpAnswer.json(200, _v1_setting(instance))
    if not options.websocket_enabled:
        return HttpAnswer(200, content_type=EMPTY_BODY)
    return HttpAnswer.json(200, instance.websocket_row())


def _set_v1(options: Options, instance: Instance, body: Mapping[str, object]) -> HttpAnswer:
    if "enabled" not in body:
        raise RestProblem(400, [['instance requires property "enabled"']])
    _validate(body, "", options)
    _apply(options, instance, body["enabled"] is True, body.get("events"))
    content = {"websocket": {"instanceName": instance.name, "websocket": _v1_setting(instance)}}
    return HttpAnswer.json(201, content)


def _v1_setting(instance: Instance) -> dict[str, object]:
    if instance.websocket is None:
        return {"enabled": False, "events": []}
    return {"enabled": instance.websocket.enabled, "events": instance.websocket.events}


def _apply(options: Options, instance: Instance, enabled: bool, events: object) -> None:
    chosen = list(events) if isinstance(events, list) and enabled else []
    if enabled and not chosen:
        chosen = options.selectable_events
    instance.set_websocket(enabled, chosen)


def _validate(setting: Mapping[str, object], name: str, options: Options) -> None:
    """Check *setting* as the server's JSON schema does; *name* is its path."""
    prefix = f"{name}." if name else ""
    if "enabled" not in setting:
        raise RestProblem(400, [[f'{name or "instance"} requires property "enabled"']])
    problems = []
    if not isinstance(setting["enabled"], bool):
        problems += [
            f"{prefix}enabled is not of a type(s) boolean",
            f"{prefix}enabled is not one of enum values: true,false",
        ]
    events = setting.get("events", [])
    if isinstance(events, list):
        names = ",".join(options.selectable_events)
        problems += [
            f"{prefix}events[{number}] is not one of enum values: {names}"
            for number, event in enumerate(events)
            if event not in options.selectable_events
        ]
    else:
        problems.append(f"{prefix}events is not of a type(s) array")
    if problems:
        raise RestProblem(400, [problems])
