"""Something between client and server: a TLS front, or a proxy, of HTTP or of SOCKS."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from evolution_ws._tls import TlsStream


PATIENCE = 20.0


class Relay:
    """
    Accepts connections and passes their bytes on, in both directions.

    Args:
        target: Where to: ``host:port``, or None for a proxy, which is told by each client.
        tls: The context of a TLS front; None speaks plainly.
        credentials: ``user:password`` that a proxy wants; None wants none.
        socks: Whether a proxy speaks SOCKS 5.
    """

    def __init__(
        self,
        target: str | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        credentials: str | None = None,
        socks: bool = False,
    ) -> None:
        self._target = target
        self._tls = tls
        self._credentials = credentials
        self._socks = socks
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._closed = False
        self.requests: list[str] = []
        """What clients asked a proxy for, ``CONNECT host:port``."""
        self.peers: list[dict[str, object]] = []
        """The certificates that clients of a TLS front showed."""
        self.port: int = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self) -> Relay:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        with contextlib.suppress(OSError):  # wakes accept()
            socket.create_connection(self._listener.getsockname(), 1).close()
        self._listener.close()
        for sock in list(self._sockets):
            _cut(sock)
        for thread in list(self._threads):
            thread.join(PATIENCE)
        for sock in self._sockets:
            sock.close()

    def _spawn(self, function: Callable[..., object], *args: object) -> None:
        thread = threading.Thread(target=function, args=args, name="relay")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            self._sockets.append(sock)
            if self._closed:
                return
            self._spawn(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._pass_on(sock)
        _cut(sock)

    def _pass_on(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_side=True)
            self._sockets.append(sock)
            self.peers.append(dict(sock.getpeercert() or {}))
        target = self._target or (self._ask_socks(sock) if self._socks else self._ask(sock))
        if target is None:
            return
        host, _, port = target.rpartition(":")
        onward = socket.create_connection((host, int(port)), PATIENCE)
        self._sockets.append(onward)
        stream = TlsStream(sock) if isinstance(sock, ssl.SSLSocket) else sock
        self._spawn(_pump, onward, stream)
        _pump(stream, onward)

    def _ask(self, sock: socket.socket) -> str | None:
        """Take a CONNECT request; return where it leads, None when it was refused."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        line, *headers = head.decode().split("\r\n")
        method, where, _ = line.split()
        self.requests.append(f"{method} {where}")
        if self._credentials and not _shows(headers, self._credentials):
            sock.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return None
        sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        port = urlsplit(f"//{where}").port
        return f"127.0.0.1:{port}"  # whatever the host is called

    def _ask_socks(self, sock: socket.socket) -> str:
        """Take a CONNECT request of SOCKS 5, without a password; return where it leads."""
        _take(sock, _take(sock, 2)[1])
        sock.sendall(b"\x05\x00")
        is_address = _take(sock, 4)[3] == 1
        data = _take(sock, 4 if is_address else _take(sock, 1)[0])
        host = socket.inet_ntoa(data) if is_address else data.decode()
        port = int.from_bytes(_take(sock, 2), "big")
        self.requests.append(f"CONNECT {host}:{port}")
        sock.sendall(b"\x05\x00\x00\x01" + bytes(6))
        return f"127.0.0.1:{port}"


def _take(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError("the client is gone")
        data += piece
    return data


def _shows(headers: list[str], credentials: str) -> bool:
    coded = base64.b64encode(credentials.encode()).decode()
    return f"proxy-authorization: basic {coded}".lower() in (line.lower() for line in headers)


def _pump(source: socket.socket | TlsStream, sink: socket.socket | TlsStream) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for sock in (source, sink):
        _cut(sock)


def _cut(sock: socket.socket | TlsStream) -> None:
    inner = sock.inner if isinstance(sock, TlsStream) else sock
    with contextlib.suppress(OSError):
        # The shutdown() of an SSLSocket would end its encryption under a thread that reads.
        socket.socket.shutdown(inner, socket.SHUT_RDWR)
