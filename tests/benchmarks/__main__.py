"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.benchmarks import growth, plot, profiling, report, runner, table
from tests.benchmarks.measure import Bench, Measure
from tests.benchmarks.progress import progress
from tests.node_server import NodeServer


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    made = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    made.add_argument("--rounds", type=int, default=5, help="rounds of each client (5)")
    made.add_argument("--quick", action="store_true", help="a quarter of the events")
    made.add_argument("--only", action="append", default=[], help="start of a name, repeatable")
    made.add_argument("--growth", action="store_true", help="measure the curves of growth too")
    made.add_argument("--json", type=Path, help="write all samples to this file")
    made.add_argument("--plot", type=Path, help="draw to this file (.svg or .png), with --growth")
    made.add_argument("--profile", action="store_true", help="only profile our event path")
    made.add_argument("--list", action="store_true", help="only list the names")
    return made


def main(argv: list[str] | None = None) -> int:
    """Run what was asked for; the exit status is 1 if a goal was missed."""
    options = parser().parse_args(argv)
    chosen = runner.chosen(options.only)
    curves = [
        one
        for one in growth.growths()
        if options.growth and (not options.only or one.name.startswith(tuple(options.only)))
    ]
    if options.list:
        names = [one.name for one in runner.measures()] + [one.name for one in growth.growths()]
        print("\n".join(names))
        return 0
    with NodeServer() as server:
        bench = Bench(server, quick=options.quick)
        if options.profile:
            print(profiling.run(bench))
            return 0
        return measure(options, bench, chosen, curves)


def measure(
    options: argparse.Namespace,
    bench: Bench,
    chosen: list[Measure],
    curves: list[growth.Growth],
) -> int:
    """Measure, print and write; return the exit status."""
    outcomes = []
    for one in chosen:
        outcome = runner.run(one, bench, options.rounds)
        outcomes.append(outcome)
        progress("")
        print("\n".join(table.lines(outcome)), end="\n\n", flush=True)
    drawn: report.Drawn = {}
    for one_growth in curves:
        rounds = [growth.run(one_growth, bench) for _ in range(min(3, options.rounds))]
        drawn[one_growth.name] = growth.median_of(rounds)
        progress("")
        print("\n".join(table.growth_lines(one_growth.title, drawn[one_growth.name])), flush=True)
    if options.json:
        report.write(options.json, outcomes, drawn)
    if options.plot:
        plot.draw(options.plot, outcomes, drawn)
    return 1 if table.missed(outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
