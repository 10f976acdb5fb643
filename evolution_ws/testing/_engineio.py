"""Engine.IO 4 over one WebSocket: the opening packet, the heartbeat and the messages."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable

from ._connection import Connection
from ._http import HttpRequest
from ._loop import Loop
from ._options import Options
from ._websocket import WebSocket


class Session:
    """
    One Engine.IO connection.

    Args:
        loop: Runs the timers.
        options: Intervals and limits.
        connection: The connection to upgrade.
        request: The request that asks for it.
        message: Called with the session and each message.
        ended: Called once with the session when it is over.
    """

    def __init__(
        self,
        loop: Loop,
        options: Options,
        connection: Connection,
        request: HttpRequest,
        *,
        message: Callable[[Session, str | bytes], None],
        ended: Callable[[Session], None],
    ) -> None:
        self.sid = secrets.token_urlsafe(15)
        self.request = request
        self._loop = loop
        self._options = options
        self._message = message
        self._ended = ended
        self._heartbeat = loop.call_later(options.ping_interval, self._ping)
        self.websocket = WebSocket(
            connection,
            request,
            max_size=options.max_payload,
            message=self._receive,
            ended=self._finished,
        )

    def start(self) -> None:
        """Send the opening packet and read from now on."""
        opening = {
            "sid": self.sid,
            "upgrades": [],
            "pingInterval": round(self._options.ping_interval * 1000),
            "pingTimeout": round(self._options.ping_timeout * 1000),
            "maxPayload": self._options.max_payload,
        }
        self.websocket.send("0" + json.dumps(opening, separators=(",", ":")))
        self.websocket.start()

    def send(self, message: str | bytes) -> None:
        """Send one message: text as a message packet, bytes as they are."""
        self.websocket.send(f"4{message}" if isinstance(message, str) else message)

    def close(self) -> None:
        """Close the WebSocket with a close frame that has no code."""
        self.websocket.close()

    def _receive(self, data: str | bytes) -> None:
        if isinstance(data, bytes) or data[:1] == "4":
            self._message(self, data if isinstance(data, bytes) else data[1:])
        elif data[:1] == "3":
            self._await_ping()
        elif data[:1] not in ("1", "6"):
            # "1" (the WebSocket is about to be closed) and "6" say nothing here.
            self.close()

    def _await_ping(self) -> None:
        self._schedule(self._options.ping_interval, self._ping)

    def _ping(self) -> None:
        self.websocket.send("2")
        self._schedule(self._options.ping_timeout, self.close)

    def _schedule(self, delay: float, callback: Callable[[], None]) -> None:
        self._heartbeat.cancel()
        self._heartbeat = self._loop.call_later(delay, callback)

    def _finished(self) -> None:
        self._heartbeat.cancel()
        self._ended(self)
