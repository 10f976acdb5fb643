"""What is installed: version, metadata, extras, commands, and how lightly it is imported."""

from __future__ import annotations

import configparser
import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import evolution_ws

from .source import PACKAGE, ROOT


DISTRIBUTION = importlib.metadata.distribution("evolution-ws")

CONFIG = configparser.ConfigParser()
CONFIG.read(ROOT / "setup.cfg", encoding="utf-8")

FRAMEWORKS = [
    *("IPython", "asyncio", "celery", "django", "flask", "gevent", "ipywidgets", "matplotlib"),
    *("numpy", "orjson", "pandas", "prometheus_client", "pytest", "redis", "requests", "rich"),
    *("socketio", "sqlite3", "websocket", "websockets", "werkzeug"),
]


def run(source: str, *blocked: str) -> str:
    """Run *source* in a new process in which the modules *blocked* cannot be imported."""
    lines = ["import sys", f"sys.modules.update(dict.fromkeys({list(blocked)!r}))", source]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(lines)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded_by(source: str) -> set[str]:
    """Return which of the frameworks a program loads."""
    names = run(f"{source}\nimport json; print(json.dumps(sorted(sys.modules)))")
    return set(json.loads(names)) & set(FRAMEWORKS)


def test_the_version_has_one_home() -> None:
    """It is a literal, so that a build need not import the package."""
    text = (PACKAGE / "_version.py").read_text(encoding="utf-8")

    assert text == f'__version__ = "{evolution_ws.__version__}"\n'
    assert re.fullmatch(r"\d+\.\d+\.\d+", evolution_ws.__version__)


def test_the_metadata_has_the_version() -> None:
    """What is installed is what is imported."""
    assert DISTRIBUTION.version == evolution_ws.__version__
    assert CONFIG["metadata"]["version"] == "attr: evolution_ws._version.__version__"
    assert CONFIG["metadata"]["license_expression"] == "MIT"
    assert CONFIG["options"]["python_requires"] == ">=3.10"


def test_the_types_are_declared() -> None:
    """Type checkers of users look for the marker."""
    assert (PACKAGE / "py.typed").is_file()


def test_the_extras_are_those_that_are_documented() -> None:
    """Every surrounding can be installed with its own word."""
    assert set(CONFIG["options.extras_require"]) >= {
        *("celery", "cli", "demo", "django", "fast", "flask", "notebook", "socks", "test"),
        "testing",
    }


def test_the_core_needs_little() -> None:
    """Everything else is an extra."""
    needs = CONFIG["options"]["install_requires"].split()

    assert {re.split(r"[\[<>=]", need)[0] for need in needs} == {
        *("attrs", "python-engineio", "python-socketio", "requests", "urllib3"),
        "websocket-client",
    }


def test_the_extra_of_the_tests_holds_the_others() -> None:
    """One word installs all that the tests need."""
    test = CONFIG["options.extras_require"]["test"]

    listed = re.search(r"evolution-ws\[([\w,]+)\]", test)
    assert listed is not None
    assert set(listed[1].split(",")) >= {
        *("celery", "cli", "django", "fast", "flask", "notebook", "socks"),
        "testing",
    }


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("console_scripts", "evolution-ws", "evolution_ws.cli:main"),
        ("pytest11", "evolution_ws", "evolution_ws.testing.plugin"),
    ],
)
def test_the_entry_points_lead_somewhere(group: str, name: str, value: str) -> None:
    """The command and the pytest plugin can be loaded."""
    (entry,) = (
        point for point in DISTRIBUTION.entry_points if (point.group, point.name) == (group, name)
    )

    assert entry.value == value
    assert entry.load() is not None


def test_importing_the_package_loads_nothing_heavy() -> None:
    """Neither a framework nor what only a connection needs."""
    assert loaded_by("import evolution_ws") == set()


def test_parsing_events_needs_no_socket() -> None:
    """Whoever works on stored events loads no client."""
    source = "import evolution_ws; evolution_ws.parse_event('call', {'data': 1}).to_json()"

    assert loaded_by(source) & {"socketio", "websocket", "requests", "sqlite3"} == set()


def test_a_client_loads_no_framework() -> None:
    """What it needs is a socket, and what comes with that."""
    source = "import evolution_ws; evolution_ws.Client('http://127.0.0.1:9', 'sales')"

    # Not so redis: python-socketio imports it wherever it is installed.
    frameworks = {"IPython", "celery", "django", "flask", "gevent", "pytest", "rich"}
    assert loaded_by(source) & frameworks == set()


def test_the_pytest_plugin_loads_no_server() -> None:
    """It is part of every pytest session on the machine, wanted or not."""
    source = "import pytest, evolution_ws.testing.plugin"

    heavy = {"socketio", "websocket", "websockets", "requests", "h11"}
    assert loaded_by(source) & heavy == set()


@pytest.mark.parametrize(
    "blocked",
    [["orjson"], ["rich", "django", "flask", "celery", "IPython", "redis", "websockets", "h11"]],
    ids=["without orjson", "without any extra"],
)
def test_the_client_works_without_extras(blocked: list[str]) -> None:
    """Every name can be imported, and a client can be made and closed."""
    source = """
import evolution_ws
for name in evolution_ws.__all__:
    getattr(evolution_ws, name)
with_options = evolution_ws.Client('http://127.0.0.1:9', 'sales', queue_size=3)
assert with_options.close()
from evolution_ws import _json
print(_json.loads(_json.dumps({'a': [1]}).encode()))
"""

    assert run(source, *blocked) == "{'a': [1]}"


def test_the_source_distribution_takes_tests_and_examples_along() -> None:
    """Whoever packages it for a system runs the tests from there."""
    manifest = (ROOT / "MANIFEST.in").read_text(encoding="utf-8")

    for name in ("tests", "examples"):
        assert f"graft {name}" in manifest
    assert "CHANGELOG.md" in manifest


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "LICENSE", "setup.cfg", "setup.py"])
def test_the_files_of_a_project_are_there(name: str) -> None:
    """Each of them says something."""
    assert Path(ROOT, name).stat().st_size > 10
