"""Worker processes seen from the main process: started, followed line by line, ended."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.benchmarks.job import Job
from tests.node_tools import NODE_DIR, node_command


ROOT = Path(__file__).parents[2]
WORD_TIMEOUT = 180.0
END_TIMEOUT = 5.0


class Unavailable(RuntimeError):
    """A client cannot take part: its package is missing."""


class WorkerFailed(RuntimeError):
    """A worker ended before it said what was expected."""


def command_of(job: Job) -> list[str]:
    """Return the command line that does a job."""
    if job.peer == "node":
        return [node_command(), str(NODE_DIR / "peer.js"), job.to_json()]
    return [sys.executable, "-m", "tests.benchmarks.worker", job.to_json()]


class Worker:
    """
    One worker process, as a context manager; leaving it ends the process.

    Args:
        job: What it does.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._buffer = b""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed in __exit__
        self.process = subprocess.Popen(
            command_of(job),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if kind is not None:
            self.process.kill()
        self.process.stdin.close()
        try:
            self.process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()  # a client that does not close is none of our business here
            self.process.wait()
        self.process.stdout.close()
        self._errors.close()

    def go(self) -> None:
        """Let a worker that waits for a line go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def expect(self, word: str) -> dict[str, Any]:
        """
        Wait until the worker says *word*, and return what came with it.

        Raises:
            Unavailable: The worker's client is not installed.
            WorkerFailed: It ended, or said nothing for too long.
        """
        message = self._read()
        if message["say"] == "missing":
            raise Unavailable(message["reason"])
        if message["say"] != word:
            raise WorkerFailed(f"{self._job.peer}: expected {word}, got {message['say']}")
        result: dict[str, Any] = message.get("result", {})
        return result

    def _read(self) -> Any:
        assert self.process.stdout is not None
        deadline = time.monotonic() + WORD_TIMEOUT
        while b"\n" not in self._buffer:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self.process.stdout], [], [], left)[0]:
                raise WorkerFailed(f"{self._job.peer}: nothing heard for {WORD_TIMEOUT:g} s")
            piece = os.read(self.process.stdout.fileno(), 1 << 20)
            if not piece:
                raise WorkerFailed(f"{self._job.peer} ended: {self._last_words()}")
            self._buffer += piece
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    def _last_words(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-2000:].decode(errors="replace")
