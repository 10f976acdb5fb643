"""The REST interface of an embedded server: routes, guards and faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import unquote

from ._auth import is_allowed, is_global
from ._history import History
from ._http import HttpAnswer, HttpRequest
from ._instances import Instance
from ._options import Options
from ._problems import RestProblem, no_route, unauthorized
from ._rest_chat import ChatRoutes
from ._rest_instances import InstanceRoutes
from ._rest_websocket import find_websocket, set_websocket


Body: TypeAlias = Mapping[str, object]
EmitAs: TypeAlias = Callable[[Instance, str, object], None]


class Rest:
    """
    Answer REST requests.

    Args:
        options: The server's options, its instances among them.
        history: The stored messages.
        emit: Sends an event of an instance.
        url: Returns the server's address.
    """

    def __init__(
        self, options: Options, history: History, emit: EmitAs, url: Callable[[], str]
    ) -> None:
        self._options = options
        self._url = url
        instances = InstanceRoutes(options, history, emit)
        chat = ChatRoutes(options, history, emit)
        self._instances = instances
        self._routes: dict[tuple[str, str], Callable[[Instance, Body], HttpAnswer]] = {
            ("POST", "websocket/set"): lambda one, body: set_websocket(options, one, body),
            ("GET", "websocket/find"): lambda one, body: find_websocket(options, one),
            ("DELETE", "instance/delete"): instances.delete,
            ("GET", "instance/connectionState"): instances.state,
            ("GET", "instance/connect"): instances.connect,
            ("POST", "chat/findMessages"): chat.find_messages,
            ("POST", "chat/getBase64FromMediaMessage"): chat.media,
            ("POST", "message/sendText"): chat.send_text,
        }

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Return the answer to *request*; every error is one, too."""
        try:
            return self._answer(request, _body(request))
        except RestProblem as problem:
            return problem.answer()

    def _answer(self, request: HttpRequest, body: Body) -> HttpAnswer:
        route = (request.method, request.path.strip("/"))
        if route == ("GET", ""):
            return HttpAnswer.json(200, self._welcome())
        if route == ("POST", "instance/create"):
            if not is_global(self._options, request):
                raise unauthorized()
            return self._instances.create(body)
        if route == ("GET", "instance/fetchInstances"):
            return self._instances.fetch(request)
        head, _, name = route[1].rpartition("/")
        handler = self._routes.get((request.method, head))
        if handler is None:
            raise no_route(request.method, request.target)
        return handler(self._guarded(request, unquote(name)), body)

    def _guarded(self, request: HttpRequest, name: str) -> Instance:
        # The real server looks for the instance first: an unknown one is 404
        # whatever the key.
        instance = self._options.instances.get(name)
        if instance is None:
            raise RestProblem(404, [f'The "{name}" instance does not exist'])
        if not is_allowed(self._options, request, name):
            raise unauthorized()
        return instance

    def _welcome(self) -> dict[str, object]:
        welcome: dict[str, object] = {
            "status": 200,
            "message": "Welcome to the Evolution API, it is working!",
            "version": self._options.claimed_version,
        }
        if self._options.v1:
            welcome["swagger"] = f"{self._url()}/docs"
        else:
            welcome["clientName"] = "evolution_exchange"
        welcome["manager"] = f"{self._url()}/manager"
        welcome["documentation"] = "https://doc.evolution-api.com"
        if not self._options.v1:
            welcome["whatsappWebVersion"] = "2.3000.1030000000"
        return welcome


def _body(request: HttpRequest) -> Body:
    """Return the JSON object of *request*; what is none counts as an empty one."""
    if not request.is_json or not request.body:
        return {}
    try:
        content = json.loads(request.body)
    except ValueError:
        # "Internal Server Error" with status 400 is what the server says.
        message = "Unexpected end of JSON input"
        raise RestProblem(400, message, "Internal Server Error") from None
    return content if isinstance(content, dict) else {}
