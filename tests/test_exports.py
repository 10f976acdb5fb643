"""What can be imported: __all__ says it, in every public module and in the package itself."""

from __future__ import annotations

import importlib
import types
from typing import Any

import pytest

import evolution_ws

from .source import MODULES, is_core


PUBLIC = [module for module in MODULES if is_core(module) and not module.startswith("_")]

# Helpers of the surroundings, for those who write such surroundings; not part of the package.
NOT_IN_THE_PACKAGE = {
    "inbox",
    "event_types",
    "facts",
    "markup",
    "messages",
    "rest",
    "events",
    "config",
    "lifecycle",
}


def load(module: str) -> types.ModuleType:
    """Return a module of the package."""
    return importlib.import_module(f"evolution_ws.{module}")


def names_of(module: types.ModuleType) -> set[str]:
    """Return the public names that a module defines, not those that it imports."""

    def is_own(value: Any) -> bool:
        return getattr(value, "__module__", module.__name__) == module.__name__

    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and is_own(value)
    }


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_module_lists_its_names(name: str) -> None:
    """Every one of them exists, is public and stands there once."""
    module = load(name)

    names = module.__all__

    assert [entry for entry in names if not hasattr(module, entry)] == []
    assert [entry for entry in names if entry.startswith("_")] == []
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_class_or_function_is_listed(name: str) -> None:
    """What is not listed begins with an underscore, or is a type variable or a constant."""
    module = load(name)

    unlisted = {
        entry
        for entry in names_of(module) - set(module.__all__)
        if isinstance(getattr(module, entry), type | types.FunctionType)
    }

    # Functions that modules of the package share have names without an underscore as well.
    assert {entry for entry in unlisted if isinstance(getattr(module, entry), type)} == set()


def test_the_package_lists_its_names_in_order() -> None:
    """Classes and functions alike, as sorted() has them."""
    assert evolution_ws.__all__ == sorted(evolution_ws.__all__)
    assert len(evolution_ws.__all__) == len(set(evolution_ws.__all__))


@pytest.mark.parametrize("name", evolution_ws.__all__)
def test_a_name_of_the_package_can_be_imported(name: str) -> None:
    """It comes from a public module that lists it."""
    value = getattr(evolution_ws, name)

    homes = [module for module in PUBLIC if getattr(load(module), name, None) is value]
    assert name == "__version__" or any(name in load(module).__all__ for module in homes)


@pytest.mark.parametrize(
    "module", [module for module in PUBLIC if module not in NOT_IN_THE_PACKAGE]
)
def test_the_package_has_every_name_of_its_main_modules(module: str) -> None:
    """Client, errors, states and streams are all at hand."""
    assert set(load(module).__all__) <= set(evolution_ws.__all__)


def test_dir_shows_every_name() -> None:
    """Completion in a shell finds what was not loaded yet."""
    assert set(evolution_ws.__all__) <= set(dir(evolution_ws))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As in any other module."""
    with pytest.raises(AttributeError, match="has no attribute 'Clinet'"):
        evolution_ws.Clinet  # noqa: B018


def test_no_name_means_two_things() -> None:
    """The same name in two modules is the same thing."""
    homes: dict[str, set[int]] = {}
    for module in PUBLIC:
        for name in load(module).__all__:
            homes.setdefault(name, set()).add(id(getattr(load(module), name)))

    assert {name for name, things in homes.items() if len(things) > 1} == set()
