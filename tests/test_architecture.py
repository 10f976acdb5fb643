"""The order of the modules: who may import whom, and how large things may be."""

from __future__ import annotations

import ast
import statistics
import sys

import pytest

from .source import MODULES, functions_of, imports_of, is_core, length_of, tree_of


LAYERS = (
    # 0: knows nothing of ours
    {"_redaction", "_version", "exceptions"},
    # 1: pure; no socket, no file, no thread of its own
    {
        *("_acks", "_address", "_callbacks", "_chat_events", "_client_html", "_content"),
        *("_durable_entry", "_durable_queue", "_event_html", "facts", "markup"),
        *("_event", "_event_id", "_explain", "_group_events", "_history", "_holding", "_hub"),
        *("_identity", "_instance_events", "_intake", "_joins", "_json", "_json_safe"),
        *("_message_events", "_names", "_notices", "_packets", "_packing", "_parts", "_progress"),
        *(
            "_queue",
            "_seen",
            "_status",
            "_windows",
            "_wire",
            "config",
            "event_types",
            "events",
            "lifecycle",
        ),
        *("messages", "state"),
    },
    # 2: sockets, files, threads
    {
        *("_backfill", "_connection", "_credentials", "_dial", "_dispatch", "_durable"),
        "_supervisor",
        "_tls",
        *(
            "_durable_stream",
            "_durable_writer",
            "_emitter",
            "_engine",
            "_process",
            "_rest_answers",
            "_rest_base",
        ),
        *("_rest_errors", "_rest_history", "_rest_session", "_rest_shapes", "_rest_transport"),
        *("_store", "_store_errors", "_store_lock", "_workers", "inbox", "_websocket", "rest"),
    },
    # 3: what a user holds; the only modules that know both queues and connection
    {"__init__", "_core", "_receiver", "_source", "client", "subscription"},
)

# Where what is not always installed, or belongs to others, may be imported.
ONLY_IN = {
    "engineio": ("_engine",),
    "socketio": ("_engine",),
    "websocket": ("_engine", "_websocket", "cli"),
    "requests": ("_rest_",),
    "urllib3": ("_rest_", "cli"),
    "certifi": ("_dial", "cli"),
    "orjson": ("_json",),
    "segno": ("_instance_events",),
    "rich": ("cli",),
    "shtab": ("cli",),
    "django": ("integrations.django",),
    "flask": ("integrations.flask", "integrations._flask"),
    "blinker": ("integrations.flask", "integrations._flask"),
    "click": ("integrations.flask", "integrations._flask"),
    "celery": ("integrations.celery",),
    "kombu": ("integrations.celery",),
    "redis": ("integrations.celery",),
    "prometheus_client": ("metrics",),
    "IPython": ("notebook",),
    "ipywidgets": ("notebook",),
    "h11": ("testing",),
    "websockets": ("testing",),
    "pytest": ("testing.plugin",),
    "attrs": ("",),
    "evolution_ws": ("integrations.django.management",),
}

# Modules with a socket, a file or a process of their own are not pure.
IMPURE = {"asyncio", "select", "selectors", "sqlite3", "subprocess"}

# They show what has no public interface.
INSIDERS: dict[str, set[str]] = {}

LIMIT = 350
# One story each, which would not be shorter in two pieces.
LONGER: dict[str, int] = {}

CORE = [module for module in MODULES if is_core(module)]


def layer_of(module: str) -> int:
    """Return the number of a core module's layer."""
    (found,) = (number for number, layer in enumerate(LAYERS) if module in layer)
    return found


def ours(module: str, at_start: bool = False) -> set[str]:
    """Return which of our modules a module imports."""
    return {name[1:] for name in imports_of(module, at_start) if name.startswith(".")}


def test_every_module_of_the_core_has_its_layer() -> None:
    """The table is complete, and names nothing that is not there."""
    assert sorted(module for layer in LAYERS for module in layer) == CORE


@pytest.mark.parametrize("module", CORE)
def test_a_module_imports_from_its_own_layer_and_below(module: str) -> None:
    """What is pure stays so, and no part of the core knows what surrounds it."""
    above = {name for name in ours(module) if name not in CORE or layer_of(name) > layer_of(module)}

    assert above == set()


def test_the_lowest_layer_imports_nothing_of_ours() -> None:
    """It may be imported from everywhere."""
    assert {name for module in LAYERS[0] for name in ours(module)} == set()


@pytest.mark.parametrize("module", sorted(LAYERS[0] | LAYERS[1]))
def test_a_pure_module_has_no_socket_no_file_and_no_thread(module: str) -> None:
    """It waits and locks at most."""
    made = {
        ast.unparse(node.func) for node in ast.walk(tree_of(module)) if isinstance(node, ast.Call)
    }

    assert imports_of(module) & IMPURE == set()
    assert made & {"open", "threading.Thread", "socket.socket", "sqlite3.connect"} == set()


def test_no_modules_import_each_other() -> None:
    """The imports of the core form no ring, those that a function makes late left out."""
    waiting = {module: ours(module, at_start=True) for module in CORE}
    while free := [module for module, needs in waiting.items() if not needs & set(waiting)]:
        for module in free:
            del waiting[module]

    assert waiting == {}


@pytest.mark.parametrize("module", [module for module in MODULES if not is_core(module)])
def test_the_surroundings_use_public_modules_of_the_core(module: str) -> None:
    """What a user could not import, they do not import either."""
    private = {name for name in ours(module) if name in CORE and name.startswith("_")}

    assert private - {"__init__", "_version"} == INSIDERS.get(module, set())


@pytest.mark.parametrize("module", MODULES)
def test_foreign_packages_are_imported_in_their_place_only(module: str) -> None:
    """Each optional package has one home; a new one has to be given its own."""
    foreign = {
        name
        for name in imports_of(module)
        if not name.startswith(".") and name not in sys.stdlib_module_names
    }
    strangers = {name for name in foreign if not module.startswith(ONLY_IN.get(name, ("?",)))}

    assert strangers == set()


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_asynchronous(module: str) -> None:
    """Every call blocks or returns."""
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)

    assert not any(isinstance(node, kinds) for node in ast.walk(tree_of(module)))
    assert "asyncio" not in imports_of(module)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_of_moderate_length(module: str) -> None:
    """Docstrings are not counted; an exception is one no longer than it has to be."""
    length = length_of(tree_of(module))

    assert length <= LONGER.get(module, LIMIT)
    assert (length > LIMIT) is (module in LONGER)


@pytest.mark.parametrize("module", MODULES)
def test_functions_are_short(module: str) -> None:
    """Fifty lines are the limit, docstrings not counted."""
    lengths = {function.name: length_of(function) for function in functions_of(module)}

    assert {name: length for name, length in lengths.items() if length > 50} == {}


def test_most_functions_are_very_short() -> None:
    """The usual one is read at a glance."""
    lengths = [length_of(function) for module in MODULES for function in functions_of(module)]

    assert statistics.median(lengths) < 10


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_is_for(module: str) -> None:
    """A docstring first, then the future import, in every module that has any code."""
    tree = tree_of(module)
    statements = [ast.unparse(node) for node in tree.body[1:2]]

    if tree.body:
        assert ast.get_docstring(tree) or module == "_version"
    if len(tree.body) > 1:
        assert statements == ["from __future__ import annotations"]
