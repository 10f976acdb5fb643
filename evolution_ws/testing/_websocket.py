"""The WebSocket side of an embedded server, on the sans-I/O part of websockets."""

from __future__ import annotations

import logging
from collections.abc import Callable

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from ._connection import Connection
from ._http import HttpRequest


# Belongs to no hierarchy: the application's own logging never shows (or slows
# down for) what the server under test reads and writes.
_silent = logging.Logger("evolution-ws-test-server", logging.CRITICAL + 1)  # noqa: LOG001 - see above


class WebSocket:
    """
    An upgraded connection that carries whole messages.

    Args:
        connection: The connection whose request asked for the upgrade.
        request: That request.
        max_size: Largest message in bytes that is accepted.
        message: Called with each message, str or bytes.
        ended: Called once when the connection is over.
    """

    def __init__(
        self,
        connection: Connection,
        request: HttpRequest,
        *,
        max_size: int,
        message: Callable[[str | bytes], None],
        ended: Callable[[], None],
    ) -> None:
        self.connection = connection
        self._message = message
        self._ended = ended
        self._parts: list[bytes] = []
        self._is_text = True
        self._is_over = False
        handshake = ServerProtocol(logger=_silent)
        headers = Headers(list(request.headers.items()))
        handshake.send_response(handshake.accept(Request(request.target, headers)))
        # A second one, because the first would now want to read the request itself.
        self._protocol = ServerProtocol(state=handshake.state, max_size=max_size, logger=_silent)
        self._write(handshake)

    def start(self) -> None:
        """Read messages from now on."""
        self.connection.upgrade(self._receive, self._ended)
        if not self.is_open:
            self.connection.finish()

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._protocol.state is State.OPEN and not self.connection.is_closed

    def send(self, message: str | bytes) -> None:
        """Send one message; nothing happens when the WebSocket is closing."""
        if self.is_open:
            opcode, data = (
                (Opcode.TEXT, message.encode("utf-8", "surrogatepass"))
                if isinstance(message, str)
                else (Opcode.BINARY, message)
            )
            self.connection.write(Frame(opcode, data).serialize(mask=False))

    def close(self, code: int | None = None) -> None:
        """Send a close frame and end the connection when the client has answered it."""
        self._is_over = True
        if self.is_open:
            if code is None:
                self._protocol.send_close()
            else:
                self._protocol.fail(code)
            self._write(self._protocol)
            self.connection.finish()

    def _receive(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            assert isinstance(frame, Frame)
            # Not is_open: a close frame of the client that came in the same piece
            # must not swallow what was sent before it.
            if not self._is_over:
                self._take(frame)
        self._write(self._protocol)
        if self._protocol.state is State.CLOSED or self._protocol.close_expected():
            self.connection.finish()

    def _take(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._parts.append(bytes(frame.data))
        if frame.fin:
            data = b"".join(self._parts)
            self._parts = []
            try:
                self._message(data.decode() if self._is_text else data)
            except UnicodeDecodeError:
                self.close(1007)

    def _write(self, protocol: ServerProtocol) -> None:
        for data in protocol.data_to_send():
            if data:
                self.connection.write(data)
