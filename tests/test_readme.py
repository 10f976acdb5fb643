"""Every code block of the READMEs does what it says; see :mod:`tests.readme_tools` for how."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from evolution_ws.testing import FakeEvolutionServer

from .core_tools import ROOT
from .readme_tools import KEY, Block, blocks_of, commands_of, for_server, run, run_block


READMES = [ROOT / "README.md", ROOT / "README.pt-BR.md"]
BLOCKS = [block for path in READMES for block in blocks_of(path)]

SHELL = ("sh", "console")
TEXT = ("text", "json", "ini", "nginx", "yaml", "html")

# doctor warns of what is merely unusual, and has findings about a server without a key, say.
CODES = {"doctor": (0, 1)}

T = TypeVar("T")


def unique(items: list[T], key: Callable[[T], str]) -> list[T]:
    """Return *items* without those that mean the same as an earlier one: translations do."""
    return list({key(item): item for item in reversed(items)}.values())[::-1]


PYTHON = unique(
    [block for block in BLOCKS if block.tag == "python" and block.is_run],
    lambda block: block.meaning,
)
COMMANDS = unique(
    [
        (block.name, command)
        for block in BLOCKS
        if block.tag in SHELL and block.is_run
        for command in commands_of(block)
    ],
    lambda item: item[1],
)


@pytest.fixture(scope="module")
def readme_server() -> Iterator[FakeEvolutionServer]:
    """Return the server that the READMEs' blocks talk to."""
    with FakeEvolutionServer(
        instances=("sales", "support"), api_key=KEY, global_events=True
    ) as server:
        yield server


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which one command finds what an earlier one has written."""
    return tmp_path_factory.mktemp("readme")


@pytest.mark.parametrize("block", [pytest.param(block, id=block.name) for block in PYTHON])
def test_python(block: Block, readme_server: FakeEvolutionServer, tmp_path: Path) -> None:
    """A block of Python runs as it stands, and ends well or with an interrupt."""
    run_block(block, readme_server, tmp_path)


@pytest.mark.parametrize(
    "command", [pytest.param(command, id=f"{name}-{command[:40]}") for name, command in COMMANDS]
)
def test_command(command: str, readme_server: FakeEvolutionServer, shared_folder: Path) -> None:
    """A command is one that the continuous integration runs, installs what exists, or works."""
    if command in (ROOT / ".ci" / "run").read_text(encoding="utf-8"):
        return
    if command == ".ci/run":
        assert os.access(ROOT / command, os.X_OK)
    elif command.startswith(("pip install ", "python -m pip install ")):
        wanted = {
            name.strip() for names in re.findall(r"\[(.*?)\]", command) for name in names.split(",")
        }
        assert "evolution-ws" in command
        assert wanted <= extras()
    else:
        assert re.match(r"(\w+=\S+ )*evolution-ws ", command), f"who checks this: {command}"
        name = command.partition("evolution-ws ")[2].split()[0]
        shell = ["bash", "-c", for_server(command, readme_server)]
        run(shell, readme_server, shared_folder, CODES.get(name, (0,)))


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in READMES])
def test_set_up_commands(path: Path) -> None:
    """There is one command for the demonstration and one for the tests, as they are run in .ci."""
    commands = [
        command
        for block in blocks_of(path)
        if block.tag in SHELL
        for command in commands_of(block)
        if "-m venv" in command
    ]
    integration = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert [f'="{command}"\n' in integration for command in commands] == [True, True]


def extras() -> set[str]:
    """Return the names of the distribution's extras."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return set(parser["options.extras_require"])


@pytest.mark.parametrize("block", [pytest.param(block, id=block.name) for block in BLOCKS])
def test_block(block: Block) -> None:
    """Every block has a tag that is known here, and whoever is said to test it does."""
    assert block.tag in ("python", *SHELL, *TEXT)
    assert not block.mark or block.tested_by is not None, "nothing exempts a block"
    if block.tag == "python":
        assert block.meaning
    if block.tested_by is not None:
        first = block.source.splitlines()[0]
        assert first in block.tested_by.read_text(encoding="utf-8")


def test_translations_agree() -> None:
    """Both READMEs have the same blocks in the same order."""
    tags = [[(block.tag, block.mark) for block in blocks_of(path)] for path in READMES]

    assert tags[0] == tags[1]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in READMES])
def test_links(path: Path) -> None:
    """Links inside the project lead somewhere."""
    links = re.findall(r"\]\(([^)#:]+)[^):]*\)", path.read_text(encoding="utf-8"))

    assert [link for link in links if not (ROOT / link).exists()] == []


# How the blocks are tested


def made(source: str, tag: str = "python", mark: str = "") -> Block:
    """Return a block."""
    return Block("here:1", tag, source, mark)


def test_blocks_are_found(tmp_path: Path) -> None:
    """A block has its place, its tag, its source and the comment above it."""
    document = tmp_path / "doc.md"
    document.write_text(
        "# Title\n\n```python\na = 1\n```\n\n<!-- it would\nnever end -->\n"
        "```sh\n$ b\n```\n\n````text\n```\n````\n"
    )

    assert blocks_of(document) == [
        Block("doc.md:3", "python", "a = 1\n"),
        Block("doc.md:9", "sh", "$ b\n", "it would\nnever end"),
        Block("doc.md:13", "text", "```\n"),
    ]


@pytest.mark.parametrize(
    ("block", "commands"),
    [
        pytest.param(made("# c\na  # d\n\nb \\\n  c\n", "sh"), ["a", "b c"], id="sh"),
        pytest.param(made("$ a\noutput\n$ b\n", "console"), ["a", "b"], id="console"),
    ],
)
def test_commands_are_found(block: Block, commands: list[str]) -> None:
    """Comments and output are no commands, and a command may be long."""
    assert commands_of(block) == commands


def test_translations_mean_the_same() -> None:
    """Blocks that differ in comments are run once."""
    blocks = [made("a = 1  # one\n"), made("a = 1  # um\n"), made("a = 2\n")]

    assert unique(blocks, lambda block: block.meaning) == [blocks[0], blocks[2]]


@pytest.mark.parametrize(
    ("source", "output"),
    [
        pytest.param("print(1 + 1)", "2", id="plain"),
        pytest.param(
            "for event in client.events():\n    print(event.type)", "messages.upsert", id="endless"
        ),
        pytest.param("client.state\nprint(event.message.text)", "Bom dia!", id="event"),
        pytest.param(
            "@client.on('call')\ndef f(event): pass\nprint(client.state)", "OPEN", id="callback"
        ),
        pytest.param("%load_ext evolution_ws.notebook\nprint(2)", "2", id="magic"),
        pytest.param("def test_x(evolution_server): pass", "1 passed", id="test"),
        pytest.param(
            "print(Client('https://api.example.com', 'a').instances)", "('a',)", id="import"
        ),
    ],
)
def test_block_that_works(
    source: str, output: str, readme_server: FakeEvolutionServer, tmp_path: Path
) -> None:
    """A block is run with what it takes for granted, and interrupted when it goes on for ever."""
    assert output in run_block(made(source), readme_server, tmp_path)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("raise ValueError", id="exception"),
        pytest.param("for event in client.events():\n    event.nothing", id="exception in a loop"),
        pytest.param("import warnings\nwarnings.warn('old')", id="warning"),
        pytest.param("raise SystemExit(3)", id="exit code"),
        pytest.param("%load_ext evolution_ws.nothing", id="magic"),
        pytest.param("%load_ext evolution_ws.notebook\n1 / 0", id="exception after magic"),
        pytest.param("def test_x(): assert False", id="test"),
        pytest.param(
            "print(1)\ntry:\n    client.wait_for('call')\nexcept KeyboardInterrupt:\n    1 / 0",
            id="exception at the end",
        ),
    ],
)
def test_block_that_fails(source: str, readme_server: FakeEvolutionServer, tmp_path: Path) -> None:
    """A block that does not work is noticed."""
    with pytest.raises(AssertionError):
        run_block(made(source), readme_server, tmp_path)


def test_marks() -> None:
    """A comment may name who tests a block; no other exempts it."""
    marked = made("a", mark="tested by tests/test_readme.py")

    assert [True, False, True] == [
        made("a").is_run,
        marked.is_run,
        made("a", mark="not run: b").is_run,
    ]
    assert marked.tested_by == Path(__file__)
    assert made("a").tested_by is None
