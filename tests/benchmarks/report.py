"""The results as JSON, with what they were measured on."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import Outcome


PACKAGES = (
    "python-socketio",
    "python-engineio",
    "websocket-client",
    "websockets",
    "orjson",
    "evolutionapi",
)
Drawn = dict[str, dict[str, dict[int, float]]]


def environment() -> dict[str, Any]:
    """Return interpreter and versions; nothing that names the machine."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    return {"python": platform.python_version(), "gil": gil, "packages": versions}


def as_dict(outcomes: Iterable[Outcome], growths: Drawn) -> dict[str, Any]:
    """Return all samples, medians and goals."""
    return {
        "environment": environment(),
        "measures": {outcome.measure.name: _measure(outcome) for outcome in outcomes},
        "growth": growths,
    }


def _measure(outcome: Outcome) -> dict[str, Any]:
    measure = outcome.measure
    return {
        "title": measure.title,
        "unit": measure.unit,
        "number": measure.number,
        "medians": {name: outcome.median(name) for name in outcome.samples},
        "samples": outcome.samples,
        "missing": outcome.missing,
        "goals": [
            {
                "number": goal.number,
                "ours": goal.ours,
                "other": goal.other,
                "limit": goal.limit,
                "at_least": goal.at_least,
                "reached": (value := outcome.ratio(goal)),
                "met": value is not None and goal.is_met(value),
            }
            for goal in measure.goals
        ],
    }


def write(path: Path, outcomes: Iterable[Outcome], growths: Drawn) -> None:
    """Write everything to a file."""
    path.write_text(json.dumps(as_dict(outcomes, growths), indent=1) + "\n", encoding="utf-8")
