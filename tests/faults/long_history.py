"""A REST server with a long history, which finds a window in it at once."""

from __future__ import annotations

import bisect
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    records: list[dict[str, Any]]
    times: list[int]

    def do_GET(self) -> None:
        self._answer({"status": 200, "version": "2.3.7", "clientName": "evolution_exchange"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        window = body["where"]["messageTimestamp"]
        first = bisect.bisect_left(self.times, window["gte"] // 1000)
        last = bisect.bisect_right(self.times, window["lte"] // 1000)
        page = self.records[max(first, last - body["offset"]) : last][::-1]
        self._answer({"messages": {"total": last - first, "pages": 1, "records": page}})

    def _answer(self, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def long_history(records: list[dict[str, Any]]) -> Iterator[int]:
    """Serve *records*, which are oldest first; yield the port."""
    times = [record["messageTimestamp"] for record in records]
    handler = type("Handler", (_Handler,), {"records": records, "times": times})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
