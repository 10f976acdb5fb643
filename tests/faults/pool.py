"""Many plans, side by side in processes of their own."""

from __future__ import annotations

import faulthandler
import multiprocessing
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from tests.faults.crash import crash
from tests.faults.plan import make_plan
from tests.faults.run import Result, run


# No run takes that long; one that does hangs, and shows where.
_CEILING = 120.0


def run_seed(seed: int, backend: str | None = None) -> Result:
    """Run the plan of *seed*; a process that hangs writes its stacks down and ends."""
    faulthandler.dump_traceback_later(_CEILING, exit=True)
    try:
        # Each eighth schedule is one of crashes.
        return run(make_plan(seed, backend)) if seed % 8 or backend else crash(seed)
    except Exception as exc:
        return Result(seed, [f"the run itself failed: {exc!r}"])
    finally:
        faulthandler.cancel_dump_traceback_later()


def run_seeds(
    seeds: Iterable[int], jobs: int, backend: str | None, report: Callable[[Result], object]
) -> list[Result]:
    """Run the plans of *seeds* in *jobs* processes; *report* gets each result as it comes."""
    results = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        futures = {pool.submit(run_seed, seed, backend): seed for seed in seeds}
        for future in as_completed(futures):
            try:
                result = future.result()
            except BrokenProcessPool:
                result = Result(futures[future], ["a process of the pool died; see its stacks"])
            results.append(result)
            report(result)
            sys.stdout.flush()
    return results
