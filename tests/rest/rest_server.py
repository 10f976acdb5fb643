"""A REST server on loopback that answers what a test tells it to, and requests to it."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

from evolution_ws._rest_transport import Call, Transport


SAMPLES = Path(__file__).parents[1] / "data" / "rest"
KEY = "0f6d3a1e-invented-key"

# Long enough for a busy machine; nothing that works waits for it.
CEILING = 20.0


@attrs.frozen
class Seen:
    """A request that the server got."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


@attrs.frozen
class Canned:
    """An answer to be given."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = attrs.field(factory=dict)
    gate: threading.Event | None = None
    drop: bool = False


class RestServer:
    """Answers each route with what it was given, in order; the last answer stays."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.arrived = threading.Event()
        self.connections = 0
        self._answers: dict[tuple[str, str], deque[Canned]] = {}
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if context is not None:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._scheme = "http" if context is None else "https"

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """Return the address for clients."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def answer(
        self,
        method: str,
        path: str,
        value: Any = None,
        status: int = 200,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        gate: threading.Event | None = None,
        drop: bool = False,
    ) -> None:
        """Give *value* as JSON, or *raw*, to the next request for *path*."""
        body = json.dumps(value).encode() if raw is None else raw
        canned = Canned(status, body, headers or {}, gate, drop)
        self._answers.setdefault((method, path), deque()).append(canned)

    def answer_sample(self, method: str, path: str, name: str) -> None:
        """Give the recorded answer *name* to the next request for *path*."""
        sample = load_sample(name)
        raw = sample["response_raw"].encode() if "response_raw" in sample else None
        self.answer(method, path, sample.get("response"), sample["status"], raw=raw)

    def requests(self, path: str) -> list[Seen]:
        """Return the requests for *path*."""
        return [seen for seen in self.seen if seen.path == path]

    def _next(self, seen: Seen) -> Canned:
        self.seen.append(seen)
        self.arrived.set()
        waiting = self._answers.get((seen.method, seen.path))
        if not waiting:
            return Canned(599, json.dumps({"message": f"nothing for {seen.path}"}).encode())
        return waiting[0] if len(waiting) == 1 else waiting.popleft()

    def _handler(server) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = CEILING

            def setup(self) -> None:
                server.connections += 1
                super().setup()

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                text = self.rfile.read(length)
                parts = urlsplit(self.path)
                canned = server._next(
                    Seen(
                        self.command,
                        parts.path,
                        parts.query,
                        {name.lower(): value for name, value in self.headers.items()},
                        json.loads(text) if text else None,
                    )
                )
                if canned.gate is not None:
                    canned.gate.wait(CEILING)
                if canned.drop:
                    self.close_connection = True
                    return
                with suppress(OSError):  # the client may have left
                    self.give(canned)

            def give(self, canned: Canned) -> None:
                self.send_response(canned.status)
                self.send_header("Content-Length", str(len(canned.body)))
                for name, value in canned.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(canned.body)

            do_GET = do_POST = do_DELETE = handle_any

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        return Handler

    @contextmanager
    def running(self) -> Iterator[RestServer]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join(CEILING)


def load_sample(name: str) -> dict[str, Any]:
    """Return the recorded exchange *name*."""
    loaded: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    return loaded


@contextmanager
def opened(url: str, **options: Any) -> Iterator[Transport]:
    """Give a transport to *url*, and close it."""
    options = {"verify": True, "cert": None, "proxy": "env", "headers": {}, **options}
    with closing(Transport(url, **options)) as transport:
        yield transport


def get(transport: Transport, url: str, method: str = "GET", timeout: float = CEILING) -> bytes:
    """Return what *url* answers."""
    return transport.send(Call(method=method, url=url, timeout=timeout)).body


def refused_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def run(function: Callable[[], object]) -> Callable[[], BaseException | None]:
    """Run *function* in a thread; return what waits for its end and returns its exception."""
    raised: list[BaseException] = []

    def target() -> None:
        try:
            function()
        except BaseException as exc:
            raised.append(exc)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()

    def end() -> BaseException | None:
        thread.join(CEILING)
        assert not thread.is_alive()
        return raised[0] if raised else None

    return end


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds."""
    deadline = time.monotonic() + CEILING
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)
