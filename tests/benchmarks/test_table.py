"""The table tells medians, ratios, and what was missed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks import plot, report, table
from tests.benchmarks.measure import Bench, Goal, Measure, Outcome, Sample


def nothing(bench: Bench) -> Sample:
    """Stand for a measurement that is never run."""
    raise NotImplementedError


def outcome(*goals: Goal) -> Outcome:
    """Return three rounds of two clients; a third one is missing."""
    names = ("evolution_ws", "raw", "official")
    measure = Measure("text", "1 KB", "µs", "cpu", dict.fromkeys(names, nothing), goals)
    made = Outcome(measure)
    for ours, raw in ((10, 500), (12, 400), (90, 600)):
        made.add("evolution_ws", {"cpu": ours, "lost": 0})
        made.add("raw", {"cpu": raw, "lost": 1})
    made.missing["official"] = "official is not installed"
    return made


def test_medians_and_faults_are_shown() -> None:
    """Each client has a line with its median, its losses, or why it is not there."""
    lines = list(table.lines(outcome()))

    assert [line.split() for line in lines[1:]] == [
        ["evolution_ws", "12"],
        ["raw", "500", "3", "lost"],
        ["official", "official", "is", "not", "installed"],
    ]


@pytest.mark.parametrize(
    ("goal", "shown", "verdict"),
    [
        pytest.param(Goal("cpu", "evolution_ws", "raw", 1 / 28), "1/42", "ok", id="met"),
        pytest.param(Goal("cpu", "evolution_ws", "raw", 1 / 50), "1/42", "MISS", id="missed"),
        pytest.param(Goal("cpu", "raw", "evolution_ws", 40, True), "41.67", "ok", id="at-least"),
        pytest.param(Goal("cpu", "evolution_ws", None, 1.3), "12.00", "MISS", id="absolute"),
        pytest.param(Goal("cpu", "evolution_ws", "official", 1), "-", "measured", id="unknown"),
    ],
)
def test_goal_is_compared(goal: Goal, shown: str, verdict: str) -> None:
    """A goal's line shows the ratio of the medians and how it stands to the limit."""
    result = outcome(goal)
    words = list(table.lines(result))[-1].split()

    assert shown in words
    assert words[-1] == verdict
    assert (verdict == "MISS") == bool(table.missed([result]))


def test_report_and_plot_are_written(tmp_path: Path) -> None:
    """The JSON holds every sample, and the plot is a picture."""
    pytest.importorskip("matplotlib")
    results = [outcome(Goal("cpu", "evolution_ws", "raw", 1))]
    curves = {"size": {"evolution_ws": {200: 10.0, 1000: 12.0}}}
    report.write(tmp_path / "r.json", results, curves)
    plot.draw(tmp_path / "p.svg", results, curves)
    written = json.loads((tmp_path / "r.json").read_text())

    assert written["measures"]["text"]["medians"] == {"evolution_ws": 12, "raw": 500}
    assert written["measures"]["text"]["goals"][0]["met"]
    assert "<svg" in (tmp_path / "p.svg").read_text()


def test_growth_has_a_column_for_each_place() -> None:
    """A curve that stops early has dashes where it was not measured."""
    rows = [line.split() for line in table.growth_lines("T", {"a": {1: 2.0, 10: 3.5}, "b": {1: 9}})]

    assert rows[1:4] == [["1", "10"], ["a", "2", "3.5"], ["b", "9", "-"]]
