"""The results as a picture for the README."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import Outcome
from tests.benchmarks.report import Drawn


OURS = "#12805c"
OTHERS = "#9aa4ad"
COLOURS = (OURS, "#3b6fb6", "#c7762b", "#8a4fa3")
OUR_VARIANTS = ("evolution_ws", "without orjson", "callback", "durable")
BARS = ("text", "media", "binary", "busy")
AXES = {"size": "bytes per event", "instances": "instances", "consumers": "consumers"}


def draw(path: Path, outcomes: Sequence[Outcome], growths: Drawn) -> None:
    """
    Draw bars for the main measurements and lines for the growth.

    Args:
        path: Where to; the suffix decides between SVG and PNG.
        outcomes: What was measured; only some of it is drawn.
        growths: Curves by name; may be empty.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    # A file that is the same for the same numbers: no dates, no random ids.
    mpl.rcParams.update({"svg.hashsalt": "evolution-ws", "font.size": 8, "svg.fonttype": "path"})
    from matplotlib import pyplot

    bars = [outcome for outcome in outcomes if outcome.measure.name in BARS]
    panels = len(bars) + len(growths)
    columns = min(4, panels) or 1
    rows = -(-panels // columns) or 1
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(3.2 * columns, 2.4 * rows), squeeze=False
    )
    places: Iterable[Any] = iter(axes.flat)
    for outcome, axis in zip(bars, places, strict=False):
        _bars(axis, outcome)
    for (name, curves), axis in zip(growths.items(), list(axes.flat)[len(bars) :], strict=False):
        _lines(axis, name, curves)
    for axis in list(axes.flat)[panels:]:
        axis.set_visible(False)
    figure.tight_layout()
    metadata = {"Date": None} if path.suffix == ".svg" else None
    figure.savefig(path, dpi=150, metadata=metadata)
    pyplot.close(figure)


def _bars(axis: Any, outcome: Outcome) -> None:
    values = {
        name: value
        for name in outcome.measure.variants
        if (value := outcome.median(name)) is not None
    }
    names = list(values)[::-1]
    colours = [OURS if name in OUR_VARIANTS else OTHERS for name in names]
    bars = axis.barh(names, [values[name] for name in names], color=colours)
    axis.bar_label(bars, fmt=lambda value: f" {value:,.0f}")
    axis.set_xscale("log")
    axis.set_xlim(right=max(values.values()) * 8)
    axis.set_title(f"{outcome.measure.title}\n{outcome.measure.unit}, log scale")
    axis.xaxis.set_visible(False)
    axis.spines[["top", "right", "bottom"]].set_visible(False)


def _lines(axis: Any, name: str, curves: dict[str, dict[int, float]]) -> None:
    for (label, points), colour in zip(curves.items(), COLOURS, strict=False):
        axis.plot(list(points), list(points.values()), marker=".", label=label, color=colour)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel(AXES[name])
    axis.set_ylim(bottom=1)
    axis.set_title("µs CPU per event")
    axis.legend(fontsize=6, frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
