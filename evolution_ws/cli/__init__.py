"""
The command ``evolution-ws``.

Each command has a module of its own; :func:`main` runs the one that was asked for.
"""

from __future__ import annotations

from ._main import main


__all__ = ["main"]
