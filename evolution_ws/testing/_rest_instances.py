"""The ``/instance`` routes of an embedded server."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from ._auth import is_global
from ._history import History
from ._http import HttpAnswer, HttpRequest
from ._instances import Instance
from ._options import Options
from ._problems import RestProblem, unauthorized


INTEGRATIONS = {"WHATSAPP-BAILEYS", "WHATSAPP-BUSINESS", "EVOLUTION"}


class InstanceRoutes:
    """
    Create, delete, list and connect instances.

    Args:
        options: The server's options, its instances among them.
        history: The stored messages.
        emit: Sends an event of an instance.
    """

    def __init__(
        self,
        options: Options,
        history: History,
        emit: Callable[[Instance, str, object], None],
    ) -> None:
        self._options = options
        self._history = history
        self._emit = emit

    def create(self, body: Mapping[str, object]) -> HttpAnswer:
        """Create an instance, with its websocket setting when *body* has one."""
        instance = self._made(body)
        setting = self._initial_setting(body)
        if setting is not None:
            instance.set_websocket(True, setting)
        self._options.instances[instance.name] = instance
        data = {"instanceName": instance.name, "instanceId": instance.id}
        self._emit(instance, "instance.create", data)
        return HttpAnswer.json(201, self._created(instance))

    def delete(self, instance: Instance, body: Mapping[str, object]) -> HttpAnswer:
        """Delete *instance*; its namespace and the clients on it stay."""
        data = {"instanceName": instance.name, "instanceId": instance.id}
        self._emit(instance, "instance.delete", data)
        self._emit(instance, "remove.instance", None)
        del self._options.instances[instance.name]
        self._history.forget(instance)
        content = {
            "status": "SUCCESS",
            "error": False,
            "response": {"message": "Instance deleted"},
        }
        return HttpAnswer.json(200, content)

    def state(self, instance: Instance, body: Mapping[str, object]) -> HttpAnswer:
        """Tell whether *instance* is connected to WhatsApp."""
        return HttpAnswer.json(200, _state(instance))

    def connect(self, instance: Instance, body: Mapping[str, object]) -> HttpAnswer:
        """Start to connect *instance*: answers a code to scan unless it is open."""
        if instance.state == "open":
            return HttpAnswer.json(200, _state(instance))
        instance.state = "connecting"
        data = {"instance": instance.name, "state": "connecting", "statusReason": 200}
        self._emit(instance, "connection.update", data)
        content = {
            "pairingCode": None,
            "code": "2@TESTQRDATA",
            "base64": "data:image/png;base64,VEVTVA==",
            "count": 1,
        }
        return HttpAnswer.json(200, content)

    def fetch(self, request: HttpRequest) -> HttpAnswer:
        """List the instances that the key and the query allow."""
        found = self._visible(request)
        name = request.query.get("instanceName")
        if name is not None and name not in self._options.instances:
            raise RestProblem(404, [f'Instance "{name}" not found'])
        if name is not None and name not in (one.name for one in found):
            raise unauthorized()
        wanted = (name, request.query.get("instanceId"), request.query.get("number"))
        shown = [
            one
            for one in found
            if all(
                wish is None or wish == value
                for wish, value in zip(wanted, (one.name, one.id, one.number), strict=True)
            )
        ]
        if not self._options.v1:
            return HttpAnswer.json(200, [self._row(one) for one in shown])
        rows = [_row_v1(one) for one in shown]
        is_single = name is not None and is_global(self._options, request)
        return HttpAnswer.json(200, rows[0] if is_single else rows)

    def _visible(self, request: HttpRequest) -> list[Instance]:
        everything = list(self._options.instances.values())
        if is_global(self._options, request):
            return everything
        own = [one for one in everything if one.token == request.api_key]
        if not own:
            raise unauthorized()
        return own

    def _made(self, body: Mapping[str, object]) -> Instance:
        name = body.get("instanceName")
        if "instanceName" not in body:
            raise RestProblem(400, [['instance requires property "instanceName"']])
        if not isinstance(name, str):
            raise RestProblem(400, [["instanceName is not of a type(s) string"]])
        if name in self._options.instances:
            raise RestProblem(403, [f'This name "{name}" is already in use.'])
        integration = body.get("integration") or "WHATSAPP-BAILEYS"
        if integration not in INTEGRATIONS:
            raise RestProblem(400, ["Invalid integration"])
        number = body.get("number")
        return Instance(
            name,
            token=str(body.get("token") or secrets.token_hex(16).upper()),
            state="connecting" if body.get("qrcode") else "close",
            owner=None,
            integration=str(integration),
            number=None if number is None else str(number),
            websocket=None,
        )

    def _initial_setting(self, body: Mapping[str, object]) -> list[str] | None:
        """Return the events selected at creation, None when nothing was said."""
        if self._options.v1:
            enabled, events = body.get("websocket_enabled"), body.get("websocket_events") or []
            setting: object = {"events": events} if enabled else None
        else:
            setting = body.get("websocket")
        if not isinstance(setting, Mapping):
            return None
        events = setting.get("events")
        if not isinstance(events, list):
            raise RestProblem(400, ["Cannot read properties of undefined (reading 'length')"])
        # Names are not checked here, and "enabled" is not looked at: both as in the server.
        return [str(event) for event in events] or self._options.selectable_events

    def _created(self, instance: Instance) -> dict[str, object]:
        setting = instance.websocket
        shown = {} if setting is None else {"enabled": True, "events": setting.events}
        if self._options.v1:
            return {
                "instance": {
                    "instanceName": instance.name,
                    "instanceId": instance.id,
                    "status": "created",
                },
                "hash": {"apikey": instance.token},
                "websocket": shown,
            }
        return {
            "instance": {
                "instanceName": instance.name,
                "instanceId": instance.id,
                "integration": instance.integration,
                "webhookWaBusiness": None,
                "accessTokenWaBusiness": "",
                "status": instance.state,
            },
            "hash": instance.token,
            "webhook": {},
            "websocket": shown,
            "settings": {},
        }

    def _row(self, instance: Instance) -> dict[str, object]:
        return {
            "id": instance.id,
            "name": instance.name,
            "connectionStatus": instance.state,
            "ownerJid": instance.owner,
            "profileName": None,
            "profilePicUrl": None,
            "integration": instance.integration,
            "number": instance.number,
            "businessId": None,
            "token": instance.token,
            "clientName": "evolution_exchange",
            "disconnectionReasonCode": None,
            "disconnectionObject": None,
            "disconnectionAt": None,
            "createdAt": instance.created_at,
            "updatedAt": instance.created_at,
            "Chatwoot": None,
            "Proxy": None,
            "Rabbitmq": None,
            "Nats": None,
            "Sqs": None,
            "Websocket": instance.websocket_row(),
            "Setting": None,
            "_count": {"Message": len(self._history.rows(instance)), "Contact": 0, "Chat": 0},
        }


def _state(instance: Instance) -> dict[str, object]:
    return {"instance": {"instanceName": instance.name, "state": instance.state}}


def _row_v1(instance: Instance) -> dict[str, object]:
    return {
        "instance": {
            "instanceName": instance.name,
            "instanceId": instance.id,
            "owner": instance.owner,
            "profileName": None,
            "profilePictureUrl": None,
            "profileStatus": "",
            "status": instance.state,
        }
    }
