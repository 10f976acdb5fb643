"""A clean environment for every test of the command line."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take settings of the library and proxies out of the environment."""
    for name in list(os.environ):
        if name.startswith("EVOLUTION_") or name.lower().endswith("_proxy") or name == "NO_COLOR":
            monkeypatch.delenv(name)
