"""The part of the REST interface that needs nothing but a server and a key."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

from ._address import parse_address
from ._rest_answers import Reply, Request, no_answer, read_reply
from ._rest_errors import NoAnswer
from ._rest_shapes import InstanceInfo, ServerInfo, instances_of, server_info_of
from ._rest_transport import Call, Transport, check_header
from ._version import __version__
from .exceptions import ApiError, ConfigError


logger = logging.getLogger("evolution_ws.rest")

# The route that tells the version waits for WhatsApp's site, without a limit of its own.
_VERSION_TIMEOUT = 5.0

_LONGEST_TIMEOUT = 86_400.0

T = TypeVar("T", bound="ServerApi")


class ServerApi:
    """Sends the requests of :class:`~evolution_ws.rest.Api`, and asks about the server itself."""

    def __init__(
        self,
        url: str,
        api_key: str | Callable[[], str | None] | None = None,
        *,
        timeout: float = 10.0,
        verify: bool | str = True,
        cert: str | tuple[str, str] | None = None,
        proxy: str | None = "env",
        origin: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        address = parse_address(url)
        self._url = address.base_url
        self._api_key = address.api_key if api_key is None else api_key
        sent = {"User-Agent": f"evolution-ws/{__version__}", **(headers or {})}
        if origin is not None:
            sent["Origin"] = origin
        self._timeout = check_timeout(timeout)
        self._transport = Transport(self._url, verify=verify, cert=cert, proxy=proxy, headers=sent)
        self._is_v1: bool | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r})"

    def __enter__(self: T) -> T:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """
        Close the connections.

        Calls under way end with :exc:`~evolution_ws.ClientClosed`: at once, or as soon as
        their connection is open or has failed to open. Later calls raise it, too. Closing
        twice does nothing.
        """
        self._transport.close()

    def request(
        self,
        method: str,
        path: str,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> Any:
        """
        Send a request to a route that has no method of its own here.

        Args:
            method:
                Such as ``"GET"``.
            path:
                Such as ``"/group/fetchAllGroups/sales"``, with names percent-encoded.
            json:
                The body; None sends none.
            params:
                The query. The server gives an ``instanceName`` in it precedence over the
                path, past its check of the key: leave it out.
            timeout:
                As of the class; None takes the one given there.

        Returns:
            The decoded JSON of the answer; None when its body is empty.

        Raises:
            ApiError: The server refused, failed, or did not answer.
            ConfigError: The request cannot be sent as it is.
        """
        return self._call(method, path, json, params, timeout=timeout).value

    def server_info(self) -> ServerInfo:
        """
        Return the server's version and name.

        The server asks WhatsApp's site on each such call, which can make it slow.

        Raises:
            ApiError: There was no answer, or not one of Evolution API.
        """
        reply = self._call("GET", "/")
        info = server_info_of(reply.value)
        if info is None:
            raise self._misread("GET", "/", reply, "the answer names no version")
        self._is_v1 = info.is_v1
        return info

    def instances(self) -> list[InstanceInfo]:
        """
        Return the instances that the key gives access to.

        With the global key these are all, with an instance's token its own.

        Raises:
            ApiError: The server refused, failed, or did not answer.
        """
        return instances_of(self._call("GET", "/instance/fetchInstances").value)

    def connection_state(self, instance: str) -> str | None:
        """
        Return whether *instance* is connected to WhatsApp.

        Returns:
            ``"open"``, ``"connecting"`` or ``"close"``; None while the server has not
            loaded the instance.

        Raises:
            ApiError: There is no such instance, or the call failed.
        """
        value = self._call("GET", instance_path("/instance/connectionState", instance)).value
        inner = value.get("instance") if isinstance(value, dict) else None
        state = inner.get("state") if isinstance(inner, dict) else None
        return state if isinstance(state, str) else None

    def _call(
        self,
        method: str,
        path: str,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        hidden: tuple[str, ...] = (),
    ) -> Reply:
        # The texts in *hidden* are masked should the server's words repeat them.
        key = self._api_key() if callable(self._api_key) else self._api_key
        call = Call(
            method=method.upper(),
            url=f"{self._url}/{path.lstrip('/')}",
            key=None if key is None else check_header("apikey", key),
            json=json,
            params=params,
            timeout=self._timeout if timeout is None else check_timeout(timeout),
        )
        request = Request(call.method, call.url, (*hidden, key or ""))
        try:
            return read_reply(self._transport.send(call), request)
        except NoAnswer as exc:
            raise no_answer(exc, request) from None

    def _misread(self, method: str, path: str, reply: Reply, said: str) -> ApiError:
        request = Request(method, self._url + path)
        return request.error(reply.status, [said], "Does the URL lead to Evolution API?")

    def _server_is_v1(self) -> bool:
        if self._is_v1 is None:
            self._is_v1 = self._ask_version()
        return self._is_v1

    def _ask_version(self) -> bool:
        timeout = min(self._timeout, _VERSION_TIMEOUT)
        call = Call(method="GET", url=f"{self._url}/", timeout=timeout)
        request = Request(call.method, call.url)
        try:
            reply = read_reply(self._transport.send(call), request)
            info = server_info_of(reply.value)
            if info is not None:
                return info.is_v1
        except NoAnswer as exc:
            if exc.kind != "timeout":
                raise no_answer(exc, request) from None
        except ApiError as exc:
            if exc.status >= 500:
                raise
        # A server that cannot reach WhatsApp's site answers too late, and a proxy may keep
        # the route to itself. Nearly everybody runs version 2.
        logger.info("%s does not tell its version; taking it for version 2", self._url)
        return False


def check_timeout(timeout: float) -> float:
    """
    Return *timeout*.

    Raises:
        ConfigError: It is no time to wait.
    """
    if not 0 < timeout <= _LONGEST_TIMEOUT:
        raise ConfigError(f"timeout is in seconds, more than 0 and at most a day, not {timeout!r}")
    return timeout


def instance_path(route: str, instance: str) -> str:
    """
    Return the path of *route* for *instance*.

    Raises:
        ConfigError: No path can carry the name.
    """
    if not isinstance(instance, str) or instance.strip(".") == "":
        raise ConfigError(f"{instance!r} is no name of an instance")
    return f"{route}/{quote(instance, safe='')}"
