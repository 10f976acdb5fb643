"""Command line of the fault suite: ``python -m tests.faults --help``."""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.faults.plan import make_plan
from tests.faults.pool import run_seed, run_seeds
from tests.faults.run import Result
from tests.faults.soak import Soak


def main(argv: list[str] | None = None) -> int:
    """Run what *argv* asks for; return 0 when every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, help="run the schedule of this seed, and show it")
    parser.add_argument("--schedules", type=int, default=300, help="number of schedules")
    parser.add_argument("--first", type=int, default=1, help="seed of the first one")
    parser.add_argument("--jobs", type=int, default=0, help="processes; 0: eight for each core")
    parser.add_argument("--backend", choices=("fake", "node"), help="instead of the seed's choice")
    parser.add_argument("--quiet", action="store_true", help="show failures alone")
    parser.add_argument("--soak", action="store_true", help="run a million events instead")
    parser.add_argument("--events", type=int, default=1_000_000, help="events of the soak")
    options = parser.parse_args(argv)
    if options.soak:
        return _run_soak(options.events, options.first)
    if options.seed is not None:
        return _run_one(options.seed, options.backend)
    return _run_many(options)


def _run_one(seed: int, backend: str | None) -> int:
    plan = make_plan(seed, backend)
    print(plan)
    result = run_seed(seed, backend)
    print(*result.gaps, sep="\n")
    print(result.text())
    return 1 if result.problems else 0


def _run_soak(events: int, seed: int) -> int:
    problems = Soak(events, seed, lambda text: print(text, flush=True)).go()
    print(*problems, sep="\n")
    return 1 if problems else 0


def _run_many(options: argparse.Namespace) -> int:
    begin = time.monotonic()
    seeds = range(options.first, options.first + options.schedules)
    jobs = options.jobs or 8 * (os.cpu_count() or 1)

    def report(result: Result) -> None:
        if result.problems or not options.quiet:
            print(result.text())

    results = run_seeds(seeds, min(jobs, len(seeds)), options.backend, report)
    failed = sorted(result.seed for result in results if result.problems)
    print(
        f"{len(results)} schedules in {time.monotonic() - begin:.0f} s: "
        f"{sum(result.stored for result in results)} messages stored, "
        f"{sum(result.replayed for result in results)} replayed, "
        f"{sum(result.reconnects for result in results)} reconnects, {len(failed)} failed"
    )
    for seed in failed:
        print(f"again: python -m tests.faults --seed {seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
