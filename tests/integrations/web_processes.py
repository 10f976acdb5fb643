"""Servers and commands as processes, and what is missing on a machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import requests

from tests.helpers import CEILING, wait_until


EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

PATIENCE = 3 * CEILING
"""Seconds for a process to begin or to end, which takes longer than anything inside of one."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def need_program(*names: str, package: str) -> str:
    """Return the path of the first of *names*; skip the test without one, fail it in CI."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    missing(f"{names[0]} is missing: apt-get install {package}")
    raise AssertionError  # pragma: no cover - missing() does not return


def need_module(name: str) -> None:
    """Skip the test without the module *name*, fail it in CI."""
    if importlib.util.find_spec(name) is None:
        missing(f"{name} is missing: pip install {name}")


def missing(what: str) -> None:
    """Skip for want of something that this machine does not have; fail where it has to be."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@attrs.define(eq=False)
class Process:
    """A process whose output is read as it comes."""

    popen: subprocess.Popen[str]
    lines: list[str] = attrs.field(factory=list)
    _reader: threading.Thread | None = None

    def __attrs_post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def output(self) -> str:
        """All that was written so far."""
        return "\n".join(self.lines)

    def wait_for(self, text: str, count: int = 1) -> None:
        """Wait until the process has written *text*."""
        wait_until(lambda: self.output.count(text) >= count or self._is_over(), PATIENCE)
        assert self.output.count(text) >= count, self.output

    def _is_over(self) -> bool:
        over = self.popen.poll() is not None
        if over and self._reader is not None:
            self._reader.join(CEILING)
        return over

    def send(self, number: int = signal.SIGTERM) -> None:
        """Send a signal."""
        self.popen.send_signal(number)

    def end(self, number: int | None = signal.SIGTERM) -> int:
        """Send a signal, unless it is None, and return the exit code."""
        if number is not None:
            self.send(number)
        code = self.popen.wait(PATIENCE)
        if self._reader is not None:
            self._reader.join(CEILING)
        return code


@contextmanager
def started(
    command: Sequence[str], cwd: Path, environ: dict[str, str] | None = None
) -> Iterator[Process]:
    """Run *command*, and kill what is left of it in the end."""
    root = str(Path(__file__).resolve().parents[2])
    popen = subprocess.Popen(
        list(command),
        cwd=cwd,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": root, **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    process = Process(popen)
    try:
        yield process
    finally:
        try:
            os.killpg(popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        popen.wait(PATIENCE)
        assert popen.stdout is not None
        process.end(None)
        popen.stdout.close()


def python(*arguments: str) -> list[str]:
    """Return a command of this Python."""
    return [sys.executable, *arguments]


def wait_for_site(url: str, process: Process) -> None:
    """Wait until a web server answers."""

    def answers() -> bool:
        assert process.popen.poll() is None, process.output
        try:
            return requests.get(url, timeout=CEILING).status_code < 500
        except requests.ConnectionError:
            return False

    wait_until(answers, PATIENCE)


@contextmanager
def streaming(url: str, **headers: str) -> Iterator[Iterator[bytes]]:
    """Open a stream of server-sent events, and yield its pieces."""
    with requests.get(url, stream=True, headers=headers, timeout=PATIENCE) as response:
        assert response.status_code == 200, response.text
        # Larger pieces would be waited for where the response is not chunked.
        yield _in_time(response.iter_content(chunk_size=1))


def _in_time(chunks: Iterator[bytes]) -> Iterator[bytes]:
    # Heartbeats would keep a test waiting for ever.
    deadline = time.monotonic() + PATIENCE
    for chunk in chunks:
        assert time.monotonic() < deadline, "what was waited for did not come"
        yield chunk


def get(url: str, **options: Any) -> requests.Response:
    """Return the answer to a GET request."""
    return requests.get(url, timeout=PATIENCE, **options)
