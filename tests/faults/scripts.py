"""Python processes of their own, for what a test process must not do to itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


ROOT = Path(__file__).parents[2]
CEILING = 60.0
"""Seconds after which a script hangs; those of the tests take a few."""


def script(source: str, *arguments: str, timeout: float = CEILING) -> str:
    """
    Run *source* in a process of its own, and return what it printed.

    Raises:
        AssertionError: It failed, said something on stderr, or hung.
    """
    command = [sys.executable, "-X", "faulthandler", "-c", source, *arguments]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise AssertionError(f"it hangs after: {exc.stdout!r} {exc.stderr!r}") from None
    assert (done.returncode, done.stderr) == (0, ""), done.stderr or done.stdout
    return done.stdout
