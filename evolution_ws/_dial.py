"""Open the TCP or TLS connection to a server, within a deadline and abortable from any thread."""

from __future__ import annotations

import base64
import importlib.util
import ipaddress
import re
import socket
import ssl
import time
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from ._address import can_be_a_name
from ._redaction import printable
from ._tls import TlsStream
from .exceptions import ConfigError


# More than any sane proxy adds to the handshake; an endless answer must not fill the memory.
_MAX_HANDSHAKE = 64 * 1024

_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


def make_tls_context(verify: bool | str, cert: str | tuple[str, str] | None) -> ssl.SSLContext:
    """
    Return the context for every TLS connection of a client, socket and REST alike.

    Raises:
        ConfigError: A file named in *verify* or *cert* cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
        if verify is True:
            _add_bundled_authorities(context)
        if cert is not None:
            context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    except OSError as exc:
        raise ConfigError(f"verify={verify!r}, cert={cert!r} cannot be loaded: {exc}") from exc
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _add_bundled_authorities(context: ssl.SSLContext) -> None:
    # Slim container images come without the system's authorities; requests brings its own.
    import certifi

    context.load_verify_locations(certifi.where())


def proxy_options(proxy: str | None, scheme: str, host: str) -> dict[str, Any]:
    """
    Return websocket-client's options for the proxy that leads to *host*; empty without one.

    Args:
        proxy:
            ``"env"``, None or a URL, as in the configuration.
        scheme:
            ``http`` or ``https``.
    """
    if proxy == "env":
        proxy = None if is_loopback(host) else _proxy_from_environment(scheme, host)
    if not proxy:
        return {}
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        port = parts.port or (1080 if parts.scheme.startswith("socks") else 80)
    except ValueError:  # whose text may hold the password
        raise ConfigError("the proxy's URL cannot be read; look at its host and port") from None
    if not parts.hostname:
        raise ConfigError("the proxy's URL names no host")
    if not can_be_a_name(parts.hostname):
        raise ConfigError("the proxy's URL names a host that cannot exist")
    if parts.scheme not in _PROXY_SCHEMES:
        names = ", ".join(_PROXY_SCHEMES)
        raise ConfigError(f"the proxy's URL has to start with one of {names}, then ://")
    options: dict[str, Any] = {
        "http_proxy_host": parts.hostname,
        "http_proxy_port": port,
        "proxy_type": "http" if parts.scheme == "https" else parts.scheme,
        # Whether a proxy is used was decided here; websocket-client must not decide again.
        "http_no_proxy": ["no.proxy.invalid"],
    }
    if parts.username:
        options["http_proxy_auth"] = (unquote(parts.username), unquote(parts.password or ""))
    return options


def check_socks() -> None:
    """
    Check that there is what speaks with a SOCKS proxy.

    Raises:
        ConfigError: There is not.
    """
    if importlib.util.find_spec("python_socks") is None:
        raise ConfigError("a SOCKS proxy needs python-socks: pip install 'evolution-ws[socks]'")


def _proxy_from_environment(scheme: str, host: str) -> str | None:
    proxies = urllib.request.getproxies()
    if urllib.request.proxy_bypass(host):
        return None
    return proxies.get(scheme) or proxies.get("all")


def is_loopback(host: str) -> bool:
    """Return whether *host* is this machine, which no proxy of the environment leads to."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


class ProxyError(OSError):
    """A proxy cannot be reached, or does not lead on to the server."""


class Dialer:
    """Makes one connection. :meth:`abort` ends it at any moment, from any thread."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self.sock: socket.socket | None = None
        self._aborted = False

    def dial(self, host: str, port: int, context: ssl.SSLContext | None) -> socket.socket:
        """
        Return a connected socket.

        Raises:
            OSError: The name is unknown, nobody listens, TLS failed, or time ran out.
        """
        error: OSError = OSError(f"no address for {host}")
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for left, (family, kind, protocol, _, address) in zip(
            range(len(addresses), 0, -1), addresses, strict=True
        ):
            try:
                sock = socket.socket(family, kind, protocol)
            except OSError as exc:  # a machine without IPv6 may know IPv6 addresses
                error = exc
                continue
            try:
                # An address that leads nowhere must not use up the time of the others.
                self._adopt(sock, share=left)
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                sock.settimeout(remaining(self._deadline))
                return self._wrap(sock, host, context) if context else sock
            except OSError as exc:
                sock.close()
                error = exc
                if self._aborted or isinstance(exc, ssl.SSLError):
                    break
        raise error

    def dial_through(
        self, proxy: Mapping[str, Any], host: str, port: int, context: ssl.SSLContext | None
    ) -> socket.socket:
        """
        Return a socket that an HTTP proxy has connected to a server.

        Args:
            proxy:
                What :func:`proxy_options` returned.

        Raises:
            ProxyError: The proxy cannot be reached, or does not lead on.
            OSError: TLS with the server failed, or time ran out.
        """
        try:
            sock = self.dial(proxy["http_proxy_host"], proxy["http_proxy_port"], None)
        except OSError as exc:
            raise ProxyError(exc.strerror or str(exc)) from exc
        try:
            _ask_proxy(HandshakeSocket(sock, self._deadline), host, port, proxy)
            return self._wrap(sock, host, context) if context else sock
        except BaseException:
            sock.close()
            raise

    def _wrap(self, sock: socket.socket, host: str, context: ssl.SSLContext) -> ssl.SSLSocket:
        # The handshake is a step of its own, so that abort() has the socket while it runs.
        tls = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        try:
            self._adopt(tls)
            tls.do_handshake()
        except BaseException:
            tls.close()
            raise
        return tls

    def _adopt(self, sock: socket.socket, share: int = 1) -> None:
        self.sock = sock
        if self._aborted:
            raise ConnectionAbortedError("the attempt was given up")
        sock.settimeout(remaining(self._deadline) / share)

    def abort(self) -> None:
        """Make whatever uses the socket fail at once. Never raises."""
        self._aborted = True
        kill(self.sock)


class HandshakeSocket:
    """
    A socket for the length of an HTTP handshake.

    Each read gets what is left of the time: a server that sends a byte now and
    then would otherwise hold the handshake up for ever. It reads ahead, because the
    answer is asked for byte by byte.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self.inner = sock
        self.ahead = b""
        """What was read and not asked for yet: the first frames, once the handshake is over."""
        self._deadline = deadline
        self._read = 0
        self.gettimeout = sock.gettimeout  # asked for before each byte

    def recv(self, size: int) -> bytes:
        """Return up to *size* bytes."""
        # Before websocket-client 1.9 an empty body is asked for, too, and nothing more may come.
        if size and not self.ahead:
            self.inner.settimeout(remaining(self._deadline))
            self.ahead = self.inner.recv(4096)
            self._read += len(self.ahead)
            if self._read > _MAX_HANDSHAKE:
                raise OSError("the server's answer to the handshake does not end")
        data, self.ahead = self.ahead[:size], self.ahead[size:]
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def _ask_proxy(sock: HandshakeSocket, host: str, port: int, proxy: Mapping[str, Any]) -> None:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    if "http_proxy_auth" in proxy:
        shown = base64.b64encode(":".join(proxy["http_proxy_auth"]).encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {shown}")
    head = bytearray()
    try:
        sock.sendall("\r\n".join([*lines, "", ""]).encode())
        while not head.endswith(b"\r\n\r\n"):
            byte = sock.recv(1)
            if not byte:
                raise ProxyError("it hung up")
            head += byte
    except OSError as exc:
        raise exc if isinstance(exc, ProxyError) else ProxyError(str(exc)) from exc
    line = head.partition(b"\r\n")[0].decode("latin-1")
    if not re.match(r"HTTP/1\.[01] 2\d\d\b", line):
        raise ProxyError(f"it answered {printable(line, 60)!r}")


def remaining(deadline: float) -> float:
    """
    Return the seconds until *deadline*, a time of the monotonic clock.

    Raises:
        TimeoutError: There are none left.
    """
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the time for connecting is used up")
    return seconds


def kill(sock: socket.socket | HandshakeSocket | TlsStream | None) -> None:
    """Shut *sock* down under whoever uses it. Never raises."""
    if isinstance(sock, (HandshakeSocket, TlsStream)):
        sock = sock.inner
    if sock is not None:
        try:
            # Not SSLSocket.shutdown(), which would first pull the TLS layer from under a reader.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        except OSError:  # closed, or never connected
            pass
