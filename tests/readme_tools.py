"""
Code blocks of a document, and how each of them is put to the test.

The tag of a fenced block decides: ``python`` is run (by pytest if it defines tests, by IPython
if it has magics), ``sh`` and ``console`` are commands, anything else is not code. An HTML
comment on the line above may name another test that runs it, with the files it needs beside it:
``<!-- tested by tests/test_x.py -->``, which must have the block's first line to find it by.
"""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import attrs

from evolution_ws.testing import FakeEvolutionServer, build

from .core_tools import ROOT
from .helpers import MS


KEY = "key-of-the-readme"

# Whether something comes after the first line of output; then it is interrupted.
_GRACE = 1500 * MS

# A program that prints nothing is interrupted then.
_SILENCE = 8000 * MS

_LIMIT = 60_000 * MS

_BLOCK = re.compile(
    r"^(?:<!--(?P<mark>.*?)-->\n)?^(?P<fence>```+)(?P<tag>[^\n`]*)\n(?P<source>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)

_PRELUDE = {
    "Client": "from evolution_ws import Client",
    "client": "from evolution_ws import Client\nclient = Client.from_env().connect()",
    "event": "event = client.wait_for('messages.upsert', timeout=10)",
}


@attrs.frozen
class Block:
    """A fenced block of a document."""

    name: str
    """File and line."""
    tag: str
    source: str
    mark: str = ""
    """The comment above it."""

    @property
    def tested_by(self) -> Path | None:
        """The test file that its comment names."""
        told = re.fullmatch(r"tested by (\S+)", self.mark)
        return ROOT / told[1] if told else None

    @property
    def is_run(self) -> bool:
        """Whether it is run by itself, and not by a test of its own."""
        return self.tested_by is None

    @property
    def meaning(self) -> str:
        """What it amounts to; translations differ in comments alone."""
        if self.tag != "python" or self.has_magics:
            return self.source
        return ast.dump(ast.parse(self.source))

    @property
    def has_magics(self) -> bool:
        """Whether it is for IPython."""
        return self.tag == "python" and re.search(r"^%", self.source, re.MULTILINE) is not None

    @property
    def has_tests(self) -> bool:
        """Whether it is for pytest."""
        return self.tag == "python" and re.search(r"^def test_", self.source, re.M) is not None


def blocks_of(path: Path) -> list[Block]:
    """Return the fenced blocks of a document."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(
            f"{path.name}:{text.count(chr(10), 0, found.start('fence')) + 1}",
            found["tag"].strip(),
            found["source"],
            (found["mark"] or "").strip(),
        )
        for found in _BLOCK.finditer(text)
    ]


def block_of(path: Path, beginning: str) -> Block:
    """Return the only block of a document that begins with this text."""
    [found] = [block for block in blocks_of(path) if block.source.startswith(beginning)]
    return found


def commands_of(block: Block) -> list[str]:
    """Return the commands of a block for the shell; in a console they have a ``$`` in front."""
    lines = re.sub(r"\\\n\s*", "", block.source).splitlines()
    if block.tag == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    bare = [re.sub(r"\s+#.*", "", line).strip() for line in lines]
    return [line for line in bare if line and not line.startswith("#")]


def script_of(block: Block, server: FakeEvolutionServer) -> str:
    """Return the program: with what it takes for granted, and this server for the invented one."""
    source = block.source
    if not (block.has_magics or block.has_tests):
        missing = [_PRELUDE[name] for name in _PRELUDE if name in _unbound(ast.parse(source))]
        source = "\n".join([*missing, source])
    return for_server(source, server)


def _unbound(tree: ast.Module) -> set[str]:
    """Return the names that a program reads and nowhere binds."""
    nodes = list(ast.walk(tree))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    bound = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    bound |= {node.name for node in nodes if isinstance(node, ast.alias)}
    return {name.id for name in names} - bound


def for_server(source: str, server: FakeEvolutionServer) -> str:
    """Return *source* with this server's address and key in place of the invented ones."""
    source = source.replace("https://api.example.com", server.url)
    source = source.replace("wss://api.example.com", server.url.replace("http", "ws"))
    # A port that is free, and nobody but this machine.
    source = source.replace("start_http_server(9100)", "start_http_server(0, '127.0.0.1')")
    return source.replace("your-key", KEY)


def run_block(block: Block, server: FakeEvolutionServer, folder: Path) -> str:
    """Run a block of Python; see :func:`run`."""
    path = folder / ("block.ipy" if block.has_magics else "test_block.py")
    path.write_text(script_of(block, server), encoding="utf-8")
    python = [sys.executable, "-W", "error"]
    if block.has_magics:
        return run([sys.executable, "-m", "IPython", "--quiet", str(path)], server, folder)
    if block.has_tests:
        pytest = [*python, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)]
        return run(pytest, server, folder, may_be_endless=False)
    return run([*python, str(path)], server, folder)


def run(
    command: list[str],
    server: FakeEvolutionServer,
    folder: Path,
    codes: tuple[int, ...] = (0,),
    *,
    may_be_endless: bool = True,
) -> str:
    """
    Run a program while messages arrive, and return its output.

    What does not end by itself is interrupted once it has printed something.

    Args:
        command:
            The program and its arguments.
        server:
            The server that the ``EVOLUTION_*`` variables name.
        folder:
            Where it runs.
        codes:
            Exit codes that are in order.
        may_be_endless:
            Whether it is interrupted rather than waited for.

    Raises:
        AssertionError: It ended with another code, or with another exception than the
            interrupt's.
    """
    out, err = folder / "out.txt", folder / "err.txt"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(server, folder),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,  # an interrupt is for all processes of a pipe
        )
        try:
            interrupted = may_be_endless and _feed_until_done(process, server, out)
            code = process.wait(_LIMIT)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    said = err.read_text(encoding="utf-8", errors="replace")
    if interrupted:
        codes = (*codes, 130, -signal.SIGINT)
        is_other = "Traceback" in said and not said.rstrip().endswith("KeyboardInterrupt")
        assert not is_other, said
    assert code in codes, f"exit code {code}\n{said}{out.read_text(encoding='utf-8')}"
    return out.read_text(encoding="utf-8")


def environment(server: FakeEvolutionServer, folder: Path) -> dict[str, str]:
    """Return the variables of a program: this Python first, and the server that it talks to."""
    # Neither the settings of another server nor the options of the tests that run this.
    others = ("EVOLUTION_", "PYTEST_")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(others)}
    here = Path(sys.executable).parent
    return {
        **kept,
        "EVOLUTION_URL": server.url,
        "EVOLUTION_API_KEY": KEY,
        "EVOLUTION_INSTANCE": "sales",
        "IPYTHONDIR": str(folder),
        "MPLBACKEND": "agg",
        "PATH": f"{here}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }


def _feed_until_done(
    process: subprocess.Popen[bytes], server: FakeEvolutionServer, out: Path
) -> bool:
    """Emit messages until the program ends; return whether it had to be interrupted."""
    deadline = time.monotonic() + _SILENCE
    printed = False
    while process.poll() is None:
        if not printed and out.stat().st_size:
            printed, deadline = True, time.monotonic() + _GRACE
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGINT)
            return True
        for instance in server.instances:
            server.emit(build.text("Bom dia!", instance=instance), store=False)
        try:
            process.wait(10 * MS)
        except subprocess.TimeoutExpired:
            continue
    return False
