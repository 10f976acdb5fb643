"""What the tests of the client's core have in common."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from evolution_ws import Backoff, Client, ConnectionState
from evolution_ws.testing import FakeEvolutionServer
from tests.helpers import MS


FAST = Backoff(initial=0.05, maximum=0.2, jitter=0)

# A close that waits for nobody takes milliseconds; one that has to wait for a dead server a
# second or two. The limit tells both from one that hangs until its timeout.
PROMPT = 4000 * MS

ROOT = Path(__file__).parent.parent


def make_client(url: str, instance: str | Iterable[str] | None = "sales", **options: Any) -> Client:
    """Return a client that reconnects quickly and asks no history."""
    options = {"backoff": FAST, "backfill": False, **options}
    return Client(url, instance, **options)


def emitted(server: FakeEvolutionServer, count: int = 1) -> list[Any]:
    """Wait until clients have emitted *count* events; return the first argument of each."""
    arguments: list[list[Any]] = [event.args for event in server.wait_for_emit(count)]
    return [args[0] for args in arguments]


def own_threads() -> list[str]:
    """Return the names of the library's threads, those of embedded servers left out."""
    return [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("evolution-ws-") and "test-server" not in thread.name
    ]


def seqs(events: list[Any]) -> list[int]:
    """Return the numbers of numbered events."""
    return [event.data["seq"] for event in events]


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """Yield the URL of a port whose connections are neither accepted nor refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # fill the backlog
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def python(source: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python process that runs *source*."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", source, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_closes(client: Client) -> None:
    """Close *client*, and demand that this is complete and prompt."""
    begin = time.monotonic()
    closed = client.close(10)

    assert closed
    assert time.monotonic() - begin < PROMPT
    assert client.state in (ConnectionState.CLOSED, ConnectionState.FAILED)
    assert not client.is_connected
