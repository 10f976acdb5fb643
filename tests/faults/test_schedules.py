"""Random schedules of faults: a few here, hundreds with ``EVOLUTION_WS_TEST_SCHEDULES``."""

from __future__ import annotations

import os
import subprocess
import sys

import attrs
import pytest

from tests.faults.plan import Plan, Step, make_plan
from tests.faults.pool import run_seed
from tests.faults.scripts import ROOT


SCHEDULES = int(os.environ.get("EVOLUTION_WS_TEST_SCHEDULES", "16"))
FIRST = int(os.environ.get("EVOLUTION_WS_TEST_FIRST_SEED", "1"))
"""Seed of the first schedule; another one for each night finds what a fixed one cannot."""

# What one schedule takes on a busy machine, where six run at a time.
SECONDS_EACH = 20


def test_schedules() -> None:
    """Whatever happens in whatever order: nothing stored is lost, and nothing comes twice."""
    command = [sys.executable, "-m", "tests.faults", "--schedules", str(SCHEDULES)]
    command += ["--first", str(FIRST), "--quiet"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120 + SCHEDULES * SECONDS_EACH,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_seed_is_a_plan() -> None:
    """The same seed gives the same plan, and another one another."""
    assert make_plan(7) == make_plan(7)
    assert len({str(make_plan(seed)) for seed in range(50)}) == 50


def test_the_plans_have_everything_in_them() -> None:
    """Each fault, server, consumer and inbox comes up in a hundred seeds."""
    plans = [make_plan(seed) for seed in range(100)]
    names = {step.name for plan in plans for step in plan.steps}

    assert len(names) == 18
    assert {plan.backend for plan in plans} == {"fake", "node"}
    assert {plan.consumer for plan in plans} == {"loop", "callbacks", "two"}
    assert {plan.durable for plan in plans} == {True, False}
    assert {plan.lazy for plan in plans} == {True, False}


@pytest.fixture
def quiet_plan() -> Plan:
    """Return a plan in which nothing but a drop happens."""
    return attrs.evolve(make_plan(1, "fake"), steps=(Step(0.2, "drop"),), durable=False)


def test_a_client_that_loses_is_found_out(
    quiet_plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The suite fails when backfill does nothing: it proves something."""
    from evolution_ws import _backfill
    from tests.faults import run

    monkeypatch.setattr(run, "_SETTLE", 1.0)
    monkeypatch.setattr(_backfill.Backfill, "_fill", lambda *_: None)
    plan = attrs.evolve(quiet_plan, steps=(Step(0.2, "restart", {"downtime": 0.3}),))

    assert any(problem.startswith("lost") for problem in run.run(plan).problems)


def test_a_run_that_fails_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong with the run itself is reported with its seed."""
    from tests.faults import pool

    def fail(_: Plan) -> None:
        raise OSError("no more files")

    monkeypatch.setattr(pool, "run", fail)

    assert ["the run itself failed: OSError('no more files')"] == run_seed(1).problems
