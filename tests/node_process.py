"""A Node process that takes commands on stdin and answers on stdout, one JSON object a line."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.node_tools import node_command


COMMAND_TIMEOUT = 60.0
START_TIMEOUT = 20.0
STOP_TIMEOUT = 3.0


class NodeServerError(RuntimeError):
    """The process refused a command, or ended."""


def to_wire(value: Any) -> Any:
    """Return *value* with bytes written as ``{"$bytes": base64}``, at any depth."""
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {key: to_wire(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_wire(item) for item in value]
    return value


def from_wire(value: dict[str, Any]) -> Any:
    """Restore bytes in one decoded JSON object (for ``object_hook``)."""
    return base64.b64decode(value["$bytes"]) if set(value) == {"$bytes"} else value


class NodeProcess:
    """
    One run of a script; it starts at once and lives until :meth:`stop`.

    Args:
        script: The file that Node runs.
        options: Given to the script as its only argument, in JSON.

    Attributes:
        ready: What the script said when it was ready.

    Threads:
        Commands may come from any thread; they are run one after the other.
    """

    def __init__(self, script: Path, options: Mapping[str, Any]) -> None:
        self._buffer = b""
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [node_command(), str(script), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            self.ready = self._answer(0, START_TIMEOUT)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def stop(self) -> None:
        """End the process by closing its stdin, or kill it if that does not help."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()  # frozen, or busy with a burst
            self._process.wait()
        self._process.stdout.close()

    def command(self, name: str, args: Mapping[str, Any], timeout: float = COMMAND_TIMEOUT) -> Any:
        """
        Run one command and return its result.

        Raises:
            NodeServerError: The process said no, or has ended.
            TimeoutError: No answer in time: it is frozen or busy.
        """
        with self._lock:
            number = next(self._ids)
            line = json.dumps({"id": number, "cmd": name, **to_wire(args)})
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(line.encode() + b"\n")
                self._process.stdin.flush()
            except BrokenPipeError:
                raise NodeServerError("the Node process has ended") from None
            return self._answer(number, timeout)

    def _answer(self, number: int, timeout: float) -> Any:
        deadline = time.monotonic() + timeout
        while True:
            answer = json.loads(self._read_line(deadline), object_hook=from_wire)
            # Answers of commands that timed out may still be in the pipe.
            if answer["id"] == number:
                break
        if not answer["ok"]:
            raise NodeServerError(answer["error"])
        return answer["result"]

    def _read_line(self, deadline: float) -> bytes:
        stdout = self._process.stdout
        assert stdout is not None
        while b"\n" not in self._buffer:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([stdout], [], [], left)[0]:
                raise TimeoutError("the Node process did not answer in time")
            piece = os.read(stdout.fileno(), 1 << 20)
            if not piece:
                raise NodeServerError("the Node process has ended")
            self._buffer += piece
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line
