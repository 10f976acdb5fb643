"""A server that says, byte by byte, what a test has it say."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any


HOST = "127.0.0.1"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PATIENCE = 20.0
"""Seconds after which a script that waits for its client has failed."""

TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = False
) -> bytes:
    """Return one WebSocket frame, right or wrong."""
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    flag, size = (0x80 if mask else 0), len(payload)
    if size < 126:
        head += bytes([flag | size])
    elif size < 65_536:
        head += bytes([flag | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([flag | 127]) + size.to_bytes(8, "big")
    return head + (bytes(4) if mask else b"") + payload


def text_frame(text: str) -> bytes:
    """Return an unfragmented text frame."""
    return frame(TEXT, text.encode())


def event_text(seq: int, instance: str = "sales", namespace: str = "/") -> str:
    """Return the frame text of a numbered messages.upsert."""
    envelope = {"event": "messages.upsert", "instance": instance, "data": {"seq": seq}}
    prefix = "" if namespace == "/" else f"{namespace},"
    return f"42{prefix}" + json.dumps(["messages.upsert", envelope], separators=(",", ":"))


class Peer:
    """One accepted connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = b""
        self._upgraded = False
        sock.settimeout(PATIENCE)

    def head(self) -> str:
        """Return the head of an HTTP request."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    def upgrade(self) -> str:
        """Accept the upgrade to a WebSocket; return the request's head."""
        head = self.head()
        self.raw(_switching(head))
        self._upgraded = True
        return head

    def open(self, **fields: Any) -> str:
        """Accept the upgrade and send the OPEN packet, of which *fields* may be changed."""
        head = self.upgrade()
        opening: dict[str, Any] = {"sid": "abc", "upgrades": []}
        opening |= {"pingInterval": 25_000, "pingTimeout": 20_000, "maxPayload": 1_000_000}
        self.say("0" + json.dumps(opening | fields))
        return head

    def welcome(self, joins: int = 1, **fields: Any) -> list[str]:
        """Open, and consent to that many joins; return the namespaces."""
        self.open(**fields)
        return [self.consent() for _ in range(joins)]

    def consent(self) -> str:
        """Let the client into the namespace that it asks for next; return its name."""
        text = self.hear()
        assert text.startswith("40"), text
        namespace = text[2:].partition("{")[0].rstrip(",") or "/"  # {}: what upstream has of auth
        prefix = "" if namespace == "/" else f"{namespace},"
        self.say(f'40{prefix}{{"sid":"s"}}')
        return namespace

    def say(self, *messages: str | bytes) -> None:
        """Send messages in ordinary frames: text for str, binary for bytes."""
        for message in messages:
            data = message.encode("utf-8", "surrogatepass") if isinstance(message, str) else message
            self.raw(frame(TEXT if isinstance(message, str) else BINARY, data))

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def drip(self, data: bytes, pause: float = 0.02) -> None:
        """Send bytes one by one, for ever, until the client leaves."""
        gone = threading.Event()
        while True:
            for index in range(len(data)):
                self.raw(data[index : index + 1])
                gone.wait(pause)

    def hear(self) -> str:
        """Return the next text of the client; pings and the like are left out."""
        while True:
            opcode, payload = self.hear_frame()
            if opcode == TEXT:
                return payload.decode()

    def hear_frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the client's next frame."""
        first, second = self._take(2)
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
        key = self._take(4)
        payload = self._take(size)
        return first & 0x0F, bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))

    def until_gone(self) -> None:
        """Read until the client says goodbye, or is gone."""
        while not self._upgraded:
            self._more()
        while self.hear_frame()[0] != CLOSE:
            pass

    def reset(self) -> None:
        """End the connection with a reset instead of a farewell."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def _more(self) -> None:
        data = self.sock.recv(65_536)
        if not data:
            raise EOFError
        self._buffer += data


class RawServer:
    """
    Runs *script* for each connection, in a thread of its own, and ends it when the script returns.

    Scripts are given in the order of the connections; the last one serves all further ones.
    """

    def __init__(self, *scripts: Callable[[Peer], object]) -> None:
        self._scripts = scripts
        self._listener = socket.create_server((HOST, 0))
        self._threads = [threading.Thread(target=self._accept, name="raw-server")]
        self._peers: list[Peer] = []
        self._closed = False
        self.errors: list[BaseException] = []
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}"

    @property
    def connections(self) -> int:
        """The number of connections so far."""
        return len(self._peers)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self._closed:
                sock.close()
                return
            script = self._scripts[min(len(self._peers), len(self._scripts) - 1)]
            peer = Peer(sock)
            self._peers.append(peer)
            thread = threading.Thread(target=self._serve, args=(peer, script), name="raw-peer")
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: Peer, script: Callable[[Peer], object]) -> None:
        try:
            script(peer)
        except (OSError, EOFError):  # the client is gone
            pass
        except BaseException as exc:
            self.errors.append(exc)
        finally:
            peer.sock.close()

    def __enter__(self) -> RawServer:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed = True
        with contextlib.suppress(OSError):  # wakes accept()
            socket.create_connection(self._listener.getsockname(), 1).close()
        self._listener.close()
        for peer in list(self._peers):
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(PATIENCE)
        if exc is None and self.errors:
            raise self.errors[0]


def _switching(head: str) -> bytes:
    key = next(
        line.partition(":")[2].strip()
        for line in head.split("\r\n")
        if line.lower().startswith("sec-websocket-key:")
    )
    accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
