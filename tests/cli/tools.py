"""What the tests of the command line have in common."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from evolution_ws.cli import main


CEILING = 20.0
"""Seconds after which a wait has failed; nothing comes near it on a sound machine."""

COMMAND = [sys.executable, "-m", "evolution_ws.cli"]
ROOT = Path(__file__).parents[2]


@frozen
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of standard output."""
        return self.out.splitlines()


def run(*argv: object) -> Done:
    """Run the command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(arg) for arg in argv])
    return Done(code, out.getvalue(), err.getvalue())


def environment(**changes: str) -> dict[str, str]:
    """Return the environment without settings of the library, and with *changes*."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("EVOLUTION_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **changes}


class Running:
    """The command in a process of its own, its output gathered line by line."""

    def __init__(self, *argv: object, stdin: str | None = None, **changes: str) -> None:
        self._process = subprocess.Popen(
            [*COMMAND, *map(str, argv)],
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(**changes),
        )
        if stdin is not None:
            assert self._process.stdin is not None
            self._process.stdin.write(stdin)
            self._process.stdin.close()
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in (
                (self._process.stdout, self.lines),
                (self._process.stderr, self.errors),
            )
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: io.TextIOBase, lines: list[str]) -> None:
        for line in stream:
            with self._changed:
                lines.append(line.rstrip("\n"))
                self._changed.notify_all()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def wait_for_lines(self, count: int) -> list[str]:
        """Wait for *count* lines of standard output and return them."""
        with self._changed:
            done = self._changed.wait_for(lambda: len(self.lines) >= count, CEILING)
        assert done, f"{count} lines did not come: {self.lines} {self.errors}"
        return list(self.lines)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def wait(self) -> Done:
        """Wait for the end."""
        code = self._process.wait(CEILING)
        for reader in self._readers:
            reader.join(CEILING)
        return Done(code, "\n".join(self.lines), "\n".join(self.errors))

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(CEILING)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


class Terminal:
    """The command on a pseudo-terminal."""

    def __init__(self, *argv: object, **changes: str) -> None:
        self._parent, child = pty.openpty()
        self._process = subprocess.Popen(
            [*COMMAND, *map(str, argv)],
            stdin=child,
            stdout=child,
            stderr=child,
            cwd=ROOT,
            env={**environment(TERM="xterm-256color"), **changes},
            start_new_session=True,
        )
        os.close(child)
        self.screen = ""

    def wait_for(self, text: str) -> str:
        """Read until *text* has been written; return everything so far."""
        deadline = time.monotonic() + CEILING
        while text not in self.screen:
            assert time.monotonic() < deadline, f"{text!r} did not come: {self.screen[-2000:]!r}"
            if not self._read():
                break
        assert text in self.screen, self.screen[-2000:]
        return self.screen

    def _read(self) -> bool:
        if not select.select([self._parent], [], [], 0.2)[0]:
            return True
        try:
            piece = os.read(self._parent, 65536)
        except OSError:  # the other end is closed
            return False
        self.screen += piece.decode("utf-8", "replace")
        return bool(piece)

    def keys(self, text: str) -> None:
        """Type *text*; ``\\x03`` is no Ctrl-C here, since this is nobody's terminal."""
        os.write(self._parent, text.encode())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def wait(self) -> Done:
        """Read to the end and return how it ended."""
        deadline = time.monotonic() + CEILING
        while self._read():
            assert time.monotonic() < deadline, self.screen
        return Done(self._process.wait(CEILING), self.screen, "")

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._parent)


@contextlib.contextmanager
def in_background(*argv: object) -> Iterator[list[Done]]:
    """Run the command in a thread of this process; its end is in the list after the block."""
    done: list[Done] = []
    thread = threading.Thread(target=lambda: done.append(run(*argv)), daemon=True)
    thread.start()
    yield done
    thread.join(CEILING)
    assert not thread.is_alive(), "the command does not end"
