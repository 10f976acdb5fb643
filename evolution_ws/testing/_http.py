"""HTTP requests and answers of an embedded server, read and written with h11."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlsplit

import h11
from attrs import field, frozen


@frozen
class HttpRequest:
    """One request; its representation shows neither query, headers nor body."""

    method: str
    path: str
    """Path as sent, percent-encoded and without the query."""

    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """Header fields by lower-case name."""

    body: bytes = field(repr=False)
    target: str = field(repr=False)
    """Path and query as sent."""

    peer: str = field(default="", repr=False)
    """Address of the client."""

    @property
    def api_key(self) -> str | None:
        """Content of the ``apikey`` header, None when there is none."""
        return self.headers.get("apikey")

    @property
    def is_json(self) -> bool:
        """Whether the sender declared the body to be JSON."""
        return "json" in self.headers.get("content-type", "")

    @property
    def is_upgrade(self) -> bool:
        """Whether the sender asks for a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"


@frozen
class HttpAnswer:
    """Status, body and content type of an answer."""

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    close: bool = False

    @classmethod
    def json(cls, status: int, content: object) -> HttpAnswer:
        """Return an answer whose body is *content* as JSON."""
        return cls(status, json.dumps(content, ensure_ascii=False).encode())


class HttpReader:
    """One side of one HTTP/1.1 connection, without the socket."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._h11 = h11.Connection(h11.SERVER)
        self._head: h11.Request | None = None
        self._body = b""

    def feed(self, data: bytes) -> None:
        """Take *data* as it came off the socket."""
        self._h11.receive_data(data)

    def requests(self) -> Iterator[HttpRequest]:
        """
        Yield the request that is complete, if one is.

        The next one is read after this one is answered.

        Raises:
            h11.RemoteProtocolError: What arrived is not HTTP.
        """
        while True:
            event = self._h11.next_event()
            if isinstance(event, h11.Request):
                self._head, self._body = event, b""
            elif isinstance(event, h11.Data):
                self._body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                yield self._request()
            else:
                return

    def leftover(self) -> bytes:
        """Return what arrived behind a request that changed the protocol."""
        return self._h11.trailing_data[0]

    def answer(self, answer: HttpAnswer) -> tuple[bytes, bool]:
        """Return the bytes of *answer*, and whether the connection ends with it."""
        headers = [
            ("Access-Control-Allow-Origin", "*"),
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
        ]
        if answer.close:
            headers.append(("Connection", "close"))
        events: list[h11.Event] = [
            h11.Response(status_code=answer.status, headers=headers),
            h11.Data(data=answer.body),
            h11.EndOfMessage(),
        ]
        data = b"".join(self._h11.send(event) or b"" for event in events)
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return data, True
        self._h11.start_next_cycle()
        return data, False

    def _request(self) -> HttpRequest:
        assert self._head is not None
        target = self._head.target.decode("latin-1")
        parts = urlsplit(target)
        return HttpRequest(
            method=self._head.method.decode(),
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.decode(): value.decode("latin-1") for name, value in self._head.headers},
            body=self._body,
            target=target,
            peer=self._peer,
        )
