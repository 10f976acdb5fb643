"""What the tests of the durable inbox have in common."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from evolution_ws import Client
from evolution_ws.inbox import inspect
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import make_client
from tests.helpers import wait_until


def emit(server: FakeEvolutionServer, *numbers: int, size: int = 0, **options: Any) -> None:
    """Emit numbered messages."""
    for number in numbers:
        data = {"seq": number, "key": {"id": f"ID{number}"}, "pad": "x" * size}
        server.emit("messages.upsert", data, **options)


def received(client: Client, count: int) -> None:
    """Wait until *count* events are on the disk or with consumers, and none is on the way."""
    core = client._core
    wait_until(lambda: client.stats.received >= count)
    wait_until(lambda: not any(c.queue._pending for c in core.hub._consumers))  # type: ignore[union-attr]


def taken(client: Client, **options: Any) -> list[tuple[int, bool]]:
    """Return number and redelivery mark of the events that wait."""
    options = {"timeout": 0.3, **options}
    return [(event.data["seq"], event.redelivered) for event in client.events(**options)]


def new(*numbers: int) -> list[tuple[int, bool]]:
    """Return what :func:`taken` finds of events that come for the first time."""
    return [(number, False) for number in numbers]


def again(*numbers: int) -> list[tuple[int, bool]]:
    """Return what :func:`taken` finds of events that come again."""
    return [(number, True) for number in numbers]


def undone(path: str, stream: str = "inbox") -> int:
    """Return how many events of a stream are not done, as the file has it."""
    return inspect(path).streams[stream].events


def left_over(path: str, **options: Any) -> list[int]:
    """Return what a client that is started on the file gets of what is in it, without a server."""
    client = make_client("http://127.0.0.1:9", durable=path, **options)
    client._core.durable.open()  # type: ignore[union-attr]
    client._core.start = lambda: False  # type: ignore[method-assign]
    client._inbox._start = lambda: None  # type: ignore[union-attr]
    found = [event.data["seq"] for event in client.events(timeout=0.2)]
    client.close()
    return found


def descriptors(path: str) -> list[str]:
    """Return the files of an inbox that this process has open."""
    links = []
    for number in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:  # the one of the listing itself
            pass
    return sorted(link for link in links if link.startswith(path))


def client_of(server: FakeEvolutionServer, path: str, **options: Any) -> Client:
    """Return a connected client with a durable inbox."""
    return make_client(server.url, durable=path, **options).connect()


def expect(process: subprocess.Popen[str], line: str) -> None:
    """Demand that *line* is the next one the process prints."""
    assert process.stdout is not None
    said = process.stdout.readline()
    if said != line + "\n":
        process.kill()
        raise AssertionError(process.communicate()[1] or said)
