"""Every example runs, as it stands, against the embedded server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evolution_ws.testing import FakeEvolutionServer


EXAMPLES = Path(__file__).parent.parent / "examples"
KEY = "example-key"

Act = Callable[[FakeEvolutionServer], object]


@pytest.fixture
def example_server() -> Iterator[FakeEvolutionServer]:
    """Return a server with two instances that asks for a key."""
    with FakeEvolutionServer(instances=("sales", "support"), api_key=KEY) as server:
        yield server


def message(server: FakeEvolutionServer, text: str, instance: str = "sales") -> None:
    """Emit a message."""
    server.emit(
        "messages.upsert",
        {
            "key": {
                "id": f"M-{text}",
                "remoteJid": "5511900000001@s.whatsapp.net",
                "fromMe": False,
            },
            "pushName": "Ana",
            "message": {"conversation": text},
            "messageType": "conversation",
            "messageTimestamp": int(time.time()),
        },
        instance=instance,
    )


class Example:
    """An example that runs in a process of its own."""

    def __init__(
        self, server: FakeEvolutionServer, name: str, *args: str, instance: str = "sales"
    ) -> None:
        environ = {name: text for name, text in os.environ.items() if "EVOLUTION" not in name}
        environ |= {
            "EVOLUTION_URL": server.url,
            "EVOLUTION_API_KEY": KEY,
            "EVOLUTION_INSTANCE": instance,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(EXAMPLES / name), *args],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Example:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def lines(self, count: int) -> list[str]:
        """Return the next *count* lines that it prints."""
        assert self.process.stdout is not None
        return [self.process.stdout.readline().rstrip("\n") for _ in range(count)]

    def interrupt(self) -> int:
        """Press Ctrl-C, and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=20)

    def finish(self) -> tuple[int, str]:
        """Return exit code and output of an example that ends by itself."""
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out + err


def test_loop(example_server: FakeEvolutionServer) -> None:
    """The loop prints a message and ends with Ctrl-C."""
    with Example(example_server, "loop.py") as example:
        example_server.wait_for_client("sales")
        message(example_server, "bom dia")

        assert example.lines(1) == ["sales Ana bom dia"]
        example.interrupt()


def test_callbacks(example_server: FakeEvolutionServer) -> None:
    """Callbacks get messages, changes and the connection; Ctrl-C ends them with code 0."""
    with Example(example_server, "callbacks.py") as example:
        assert example.lines(1) == ["connected"]
        message(example_server, "oi")
        example_server.emit(
            "messages.update",
            {"keyId": "M-oi", "remoteJid": "5511900000001@s.whatsapp.net", "status": "READ"},
            instance="sales",
        )

        assert example.lines(2) == ["message: oi", "changed: M-oi"]
        assert example.interrupt() == 0


def test_workers(example_server: FakeEvolutionServer) -> None:
    """Each message goes to one of three workers."""
    with Example(example_server, "workers.py") as example:
        example_server.wait_for_client("sales")
        for number in range(9):
            message(example_server, f"text {number}")
        lines = example.lines(9)

        assert sorted(re.sub(r"worker \d: ", "", line) for line in lines) == [
            f"text {number}" for number in range(9)
        ]
        example.interrupt()


def test_wait_for(example_server: FakeEvolutionServer) -> None:
    """The message that was sent over REST is seen on the socket."""
    with Example(example_server, "wait_for.py", "5511900000002", "olá") as example:
        assert example.finish() == (0, "sent\n")


def test_several_instances(example_server: FakeEvolutionServer) -> None:
    """One connection brings the events of two instances."""
    with Example(example_server, "several_instances.py", instance="sales,support") as example:
        example.lines(3)
        example_server.wait_for_client("support")
        message(example_server, "one", "sales")
        message(example_server, "two", "support")

        assert example.lines(2) == ["sales: messages.upsert", "support: messages.upsert"]
        example.interrupt()


def test_global_mode() -> None:
    """In global mode every instance is heard on one namespace."""
    with (
        FakeEvolutionServer(instances=("a", "b"), api_key=KEY, global_events=True) as server,
        Example(server, "global_mode.py", instance="*") as example,
    ):
        server.wait_for_client()
        message(server, "one", "a")
        message(server, "two", "b")

        assert example.lines(2) == ["a messages.upsert (1)", "b messages.upsert (1)"]
        example.interrupt()


def test_emitting(example_server: FakeEvolutionServer) -> None:
    """What was emitted arrives although the script ends at once."""
    with Example(example_server, "emitting.py") as example:
        code, out = example.finish()

    assert (code, out) == (0, "sent\n")
    emitted: list[Any] = [entry.args[0] for entry in example_server.received]
    assert [data["number"] for data in emitted] == [0, 1, 2]


def test_every_example_is_tested() -> None:
    """No script in examples/ goes without a test."""
    tested = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))

    missing = [path.name for path in EXAMPLES.glob("*.py") if path.name not in tested]

    assert missing == []
