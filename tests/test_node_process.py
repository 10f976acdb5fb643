"""The pipe to a Node process, with scripts of three lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.node_process import NodeProcess, NodeServerError, from_wire, to_wire
from tests.node_tools import require_node


READY = 'console.log(\'{"id":0,"ok":true,"result":7}\');\n'


def script(directory: Path, text: str) -> Path:
    """Write a script and return its path."""
    require_node()
    path = directory / "script.js"
    path.write_text(text)
    return path


def test_bytes_survive_the_pipe() -> None:
    """Bytes are written as base64 at any depth, and read back one object at a time."""
    value = {"a": [b"x", (1, "s")], "b": None}

    assert to_wire(value) == {"a": [{"$bytes": "eA=="}, [1, "s"]], "b": None}
    assert (from_wire({"$bytes": "eA=="}), from_wire({"k": 1})) == (b"x", {"k": 1})


def test_ready_line_is_read(tmp_path: Path) -> None:
    """The first answer of the script is kept; the end of stdin ends the script."""
    process = NodeProcess(script(tmp_path, READY + "process.stdin.resume();"), {})
    process.stop()

    assert process.ready == 7


def test_process_that_ends_is_an_error(tmp_path: Path) -> None:
    """A command to a process that has gone raises instead of waiting."""
    process = NodeProcess(script(tmp_path, READY), {})
    try:
        with pytest.raises(NodeServerError, match="ended"):
            [process.command("x", {}) for _ in range(100)]
        process._process.wait()
        with pytest.raises(NodeServerError, match="ended"):
            process.command("x", {})
    finally:
        process.stop()


def test_script_that_fails_to_start_is_an_error(tmp_path: Path) -> None:
    """A script that says no, or ends at once, raises from the constructor."""
    refusing = script(tmp_path, 'console.log(\'{"id":0,"ok":false,"error":"port taken"}\');')
    with pytest.raises(NodeServerError, match="port taken"):
        NodeProcess(refusing, {})


def test_process_that_will_not_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ignores the end of its stdin is killed after a grace time."""
    monkeypatch.setattr("tests.node_process.STOP_TIMEOUT", 0.05)
    process = NodeProcess(script(tmp_path, READY + "setInterval(() => {}, 1000);"), {})
    process.stop()

    assert process._process.returncode == -9
