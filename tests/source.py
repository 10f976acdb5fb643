"""The source of the package, as trees."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path


ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "evolution_ws"

MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")
)
"""Names of all modules, relative to the package: ``cli._main``, ``__init__``."""


SURROUNDINGS = ("cli", "integrations", "metrics", "notebook", "testing")
"""Modules and packages that stand on the core, and may need what is not installed."""


def is_core(module: str) -> bool:
    """Return whether a module belongs to the core."""
    return module.partition(".")[0] not in SURROUNDINGS


def path_of(module: str) -> Path:
    """Return the file of a module."""
    return PACKAGE.joinpath(*module.split(".")).with_suffix(".py")


@functools.cache
def tree_of(module: str) -> ast.Module:
    """Return the tree of a module."""
    return ast.parse(path_of(module).read_text(encoding="utf-8"))


def imports_of(module: str, at_start: bool = False) -> set[str]:
    """
    Return what a module imports when it runs: ``._queue`` of ours, ``attrs`` of others.

    Names that only type checkers import are left out; *at_start*: those imported late as well.
    """
    found: set[str] = set()
    for node in _running(tree_of(module), at_start):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= _from(module, node)
    return found


def _running(tree: ast.AST, at_start: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        is_late = at_start and isinstance(node, ast.FunctionDef)
        if not is_for_types and not is_late:
            yield node
            yield from _running(node, at_start)


def _from(module: str, node: ast.ImportFrom) -> set[str]:
    if not node.level:
        return {(node.module or "").partition(".")[0]}
    parents = module.split(".")[: -node.level] if node.level <= module.count(".") else []
    base = [*parents, *(node.module.split(".") if node.module else [])]
    names = {".".join([*base, alias.name]) for alias in node.names}
    # "from . import _json" names a module, "from .config import Overflow" something in one.
    return {f".{name if name in MODULES else _module_of('.'.join(base))}" for name in names}


def _module_of(name: str) -> str:
    if not name:
        return "__init__"
    return name if name in MODULES else f"{name}.__init__"


def functions_of(module: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions and methods of a module."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length_of(node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function or a module, docstrings not counted."""
    if isinstance(node, ast.Module):
        total = node.body[-1].end_lineno or 0 if node.body else 0
    else:
        total = (node.end_lineno or 0) - node.lineno + 1
    return total - sum(_text_lines(child) for child in ast.walk(node))


def _text_lines(node: ast.AST) -> int:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return (node.end_lineno or 0) - node.lineno + 1
    return 0
