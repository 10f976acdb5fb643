"""The script for shells."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.cli.tools import run


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion(shell: str) -> None:
    """The script knows the commands; bash and zsh can read it where they are installed."""
    pytest.importorskip("shtab")

    done = run("completion", shell)

    assert done.code == 0
    for name in ("listen", "doctor", "settings"):
        assert name in done.out
    program = shutil.which(shell)
    if program is not None and shell != "tcsh":
        checked = subprocess.run([program, "-n"], input=done.out, text=True, capture_output=True)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_completion_without_shtab(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package that writes it, what to install is said."""
    monkeypatch.setitem(sys.modules, "shtab", None)

    done = run("completion", "bash")

    assert done.code == 2
    assert "evolution-ws[cli]" in done.err
