"""Talk to a server by hand: TCP, TLS, HTTP and a websocket handshake, one step at a time."""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import socket
import ssl
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs
import certifi
import websocket

from .._version import __version__
from ._output import escaped


_LONGEST_BODY = 65536
_WS = {"http": "ws", "https": "wss"}
_TITLE = re.compile(r"(?is)<title>(.*?)</title>")


@attrs.frozen
class Proxy:
    """The HTTP proxy on the way."""

    host: str
    port: int
    credentials: str | None = attrs.field(repr=False)
    origin: str = attrs.field(kw_only=True)
    """Where it was found: a variable of the environment, or the configuration."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@attrs.frozen
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    """By names in small letters."""
    body: bytes = attrs.field(repr=False)
    packet: str = attrs.field(default="", repr=False)
    """What came first over the websocket, if one was opened."""

    @property
    def json(self) -> Any:
        """The decoded body; None when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """The beginning of the body as one safe line."""
        said = self.body.decode("utf-8", "replace")
        title = _TITLE.search(said)
        line = " ".join((title.group(1) if title else said).split())
        return escaped(line if len(line) <= 80 else line[:79] + "…")


@attrs.frozen
class Probe:
    """Knows how to reach one server; each call uses a connection of its own."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None
    context: ssl.SSLContext | None = attrs.field(repr=False)
    """None where there is no TLS."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    """Sent with every request."""
    timeout: float

    def dial(self) -> socket.socket:
        """
        Return a TCP connection to the server, through the proxy if there is one.

        Raises:
            OSError: There is none to be had.
        """
        if self.proxy is None:
            return socket.create_connection((self.host, self.port), self.timeout)
        connection = http.client.HTTPConnection(
            self.proxy.host, self.proxy.port, timeout=self.timeout
        )
        login = self.proxy.credentials
        headers = {"Proxy-Authorization": f"Basic {login}"} if login else {}
        connection.set_tunnel(self.host, self.port, headers)
        connection.connect()
        sock: socket.socket = connection.sock
        return sock

    def secure(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        """Return a TLS connection made with *context*."""
        sock = self.dial()
        try:
            return context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise

    def open(self) -> socket.socket:
        """Return a connection on which HTTP can be spoken."""
        return self.dial() if self.context is None else self.secure(self.context)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """
        Return the answer to a GET.

        Raises:
            OSError, http.client.HTTPException: There is none, or it is not HTTP.
        """
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        # Decides whether the Host header names the port.
        connection.default_port = 443 if self.scheme == "https" else 80
        connection.sock = self.open()
        try:
            own = {"User-Agent": f"evolution-ws/{__version__} doctor", "Accept": "*/*"}
            connection.request("GET", path, headers={**own, **self.headers, **(headers or {})})
            response = connection.getresponse()
            fields = {name.lower(): text for name, text in response.getheaders()}
            return Answer(response.status, fields, response.read(_LONGEST_BODY))
        finally:
            connection.close()

    def upgrade(self, path: str, headers: Mapping[str, str]) -> Answer:
        """
        Return the answer to a websocket handshake, and what came first if it was accepted.

        Raises:
            OSError, websocket.WebSocketException: There is no answer, or no sensible one.
        """
        sock = self.open()
        found = websocket.WebSocket()
        found.settimeout(self.timeout)
        try:
            found.connect(  # type: ignore[no-untyped-call]  # typed in part upstream
                f"{_WS[self.scheme]}://{_netloc(self.host, self.port)}{path}",
                header={**self.headers, **headers},
                suppress_origin=True,
                redirect_limit=0,
                socket=sock,
            )
            packet = found.recv()
            found.close(timeout=1)
            return Answer(101, _fields(found.getheaders()), b"", str(packet))
        except websocket.WebSocketBadStatusException as exc:
            body = exc.resp_body if isinstance(exc.resp_body, bytes) else b""
            return Answer(exc.status_code, _fields(exc.resp_headers), body)
        except websocket.WebSocketException:
            response = found.handshake_response
            if response is None or response.status == 101:
                raise
            return Answer(response.status, _fields(response.headers), b"")  # a redirect
        finally:
            sock.close()


def _fields(headers: Mapping[str, Any] | None) -> dict[str, str]:
    return {name.lower(): str(text) for name, text in (headers or {}).items()}


def _netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def make_context(verify: bool | str, cert: str | tuple[str, str] | None) -> ssl.SSLContext:
    """
    Return the context that a client with the same settings uses.

    Raises:
        OSError: A file cannot be used.
    """
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is True:
        context.load_verify_locations(certifi.where())
    if cert is not None:
        context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def find_proxy(setting: str | None, scheme: str, host: str) -> Proxy | None:
    """
    Return the proxy that leads to *host*; None when the way is direct.

    Args:
        setting:
            ``"env"``, None or a URL, as in the configuration of a client.
        scheme:
            ``http`` or ``https``.
        host:
            The server's host.
    """
    origin = "the configuration"
    if setting == "env":
        found = urllib.request.getproxies()
        name = next((name for name in (scheme, "all") if found.get(name)), "")
        if not name or is_loopback(host) or urllib.request.proxy_bypass(host):
            return None
        setting, origin = found[name], f"{name}_proxy in the environment"
    if not setting:
        return None
    parts = urlsplit(setting if "://" in setting else f"http://{setting}")
    login = None
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = b64encode(pair.encode()).decode()
    return Proxy(parts.hostname or "", parts.port or 80, login, origin=origin)


def is_loopback(host: str) -> bool:
    """Return whether *host* is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")
