"""What the tests of the embedded server have in common."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable

import requests
import websocket

from evolution_ws.testing import FakeEvolutionServer


CEILING = 10.0
"""Seconds after which a wait has failed; nothing comes near it on a sound machine."""

NOON = 1_795_000_000
"""A time in Unix seconds: 2026-11-18T11:06:40Z."""

FIND = "/chat/findMessages/sales"
"""Where messages of the instance sales are looked for."""


class RawClient:
    """A WebSocket that speaks Engine.IO by hand."""

    def __init__(
        self,
        server: FakeEvolutionServer,
        *namespaces: str,
        header: dict[str, str] | None = None,
        query: str = "",
        sslopt: dict[str, str] | None = None,
    ) -> None:
        self._socket = websocket.create_connection(
            server.url.replace("http", "ws") + f"/socket.io/?EIO=4&transport=websocket{query}",
            header=header or {},
            timeout=CEILING,
            skip_utf8_validation=True,
            sslopt=sslopt,
        )
        self.opening = self.read()
        for namespace in namespaces:
            self.send("40" if namespace == "/" else f"40{namespace},")
            assert self.text().startswith("40")

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.shutdown()  # type: ignore[no-untyped-call]

    def send(self, message: str | bytes) -> None:
        """Send one message."""
        if isinstance(message, str):
            self._socket.send(message)
        else:
            self._socket.send_binary(message)

    def send_tcp(self, data: bytes) -> None:
        """Send *data* without framing it."""
        assert self._socket.sock is not None
        self._socket.sock.sendall(data)

    def reset(self) -> None:
        """End the TCP connection the hard way."""
        assert self._socket.sock is not None
        linger = struct.pack("ii", 1, 0)
        self._socket.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._socket.sock.close()

    def read(self) -> str | bytes:
        """Return the next message."""
        opcode, data = self._socket.recv_data()
        assert opcode in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY), data
        return data.decode() if opcode == websocket.ABNF.OPCODE_TEXT else bytes(data)

    def text(self) -> str:
        """Return the next message, which is text."""
        message = self.read()
        assert isinstance(message, str)
        return message

    def end(self) -> str:
        """Return how the connection ends: ``close <code>``, ``eof`` or ``reset``."""
        try:
            while True:
                opcode, data = self._socket.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    return f"close {int.from_bytes(data[:2], 'big')}" if data else "close"
        except websocket.WebSocketConnectionClosedException:
            return "eof"
        except ConnectionResetError:
            return "reset"


def refused_body(server: FakeEvolutionServer, **options: object) -> tuple[int, str]:
    """Return status and body with which a handshake is refused."""
    try:
        RawClient(server, **options)  # type: ignore[arg-type]
    except websocket.WebSocketBadStatusException as exc:
        return exc.status_code, (exc.resp_body or b"").decode()
    raise AssertionError("the handshake was accepted")


def rest(
    server: FakeEvolutionServer,
    method: str,
    path: str,
    json: object = None,
    key: str | None = None,
) -> requests.Response:
    """Call the REST interface."""
    headers = {} if key is None else {"apikey": key}
    return requests.request(method, server.url + path, json=json, headers=headers, timeout=CEILING)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for *condition*, and fail when it does not come."""
    deadline = time.monotonic() + CEILING
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def told(answer: requests.Response) -> tuple[int, object]:
    """Return status and ``response.message`` of a REST error."""
    return answer.status_code, answer.json()["response"]["message"]


def frame(first: int, data: bytes) -> bytes:
    """Return a short client frame with the first byte *first*."""
    return bytes([first, 0x80 | len(data), 0, 0, 0, 0]) + data


def message(number: int, at: int = NOON, **fields: object) -> dict[str, object]:
    """Return the data of a text message of *at* in Unix seconds."""
    return {
        "key": {"id": f"A{number}", "remoteJid": "5511980000101@s.whatsapp.net", "fromMe": False},
        "pushName": "Ana Exemplo",
        "message": {"conversation": f"text {number}"},
        "messageType": "conversation",
        "messageTimestamp": at,
        "source": "android",
        **fields,
    }


def found(server: FakeEvolutionServer, where: object = None, **body: object) -> list[str]:
    """Return the ids of the messages of instance sales that a query finds, in its order."""
    answer = rest(server, "POST", FIND, {"where": where or {}, **body})
    return [record["key"]["id"] for record in answer.json()["messages"]["records"]]


def own_threads() -> list[str]:
    """Return the names of the threads of embedded servers."""
    return [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("evolution-ws-test-server")
    ]
