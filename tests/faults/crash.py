"""Runs in which the consumer, with its durable inbox, is killed or stopped again and again."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from tests.faults.ledger import Got, Sent, disorder, missing
from tests.faults.plan import Plan, make_plan
from tests.faults.run import Result, producing
from tests.faults.world import World


_ROOT = Path(__file__).parents[2]
# Seconds in which everything has to be processed once nobody is killed any more.
_SETTLE = 60.0


def crash(seed: int) -> Result:
    """Run the schedule of crashes of *seed*."""
    dice = random.Random(seed)
    plan = attrs.evolve(make_plan(seed, "fake"), steps=(), clock_skew=None, wildcard=False)
    result = Result(seed)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, World(plan) as world:
        victim = Victim(world, plan, Path(directory))
        victim.start()
        world.fake.wait_for_client("/", timeout=_SETTLE)  # what happens before is nobody's loss
        with producing(plan, world):
            for _ in range(dice.randint(3, 6)):
                _round(dice, world, victim)
        for instance in plan.instances:
            world.emit(instance=instance)
        victim.start()
        _wait(world, victim)
        result.problems += victim.end()
        result.problems += check(world.sent, victim.delivered())
        result.stored = len(world.sent)
        result.delivered = len(victim.delivered())
        result.replayed = sum(event.replayed for event in victim.delivered())
    result.seconds = time.monotonic() - begin
    return result


def _round(dice: random.Random, world: World, victim: Victim) -> None:
    """Have something bad happen, most of all to the victim."""
    victim.start()
    if dice.random() < 0.7:  # otherwise it happens while the process starts, or connects
        world.fake.wait_for_client("/", timeout=_SETTLE)
    time.sleep(dice.uniform(0.0, 1.2))
    name = dice.choice(("kill", "kill", "kill", "stop", "restart", "drop"))
    if name == "kill":
        victim.kill()
        time.sleep(dice.choice((0.0, 0.0, 0.4, 1.5)))
    elif name == "stop":
        with victim.stopped():
            time.sleep(dice.uniform(0.2, 1.5))
    elif name == "restart":
        world.restart(dice.choice((0.0, 0.3)))
    else:
        world.drop()


class Victim:
    """The consumer's process, or none at the moment."""

    def __init__(self, world: World, plan: Plan, directory: Path) -> None:
        self._record = directory / "record.tsv"
        self._inbox = directory / "inbox.db"
        url = f"http://127.0.0.1:{world.proxy.port}"
        self._command = [sys.executable, "-m", "tests.faults.victim", url, str(self._inbox)]
        self._command += [str(self._record), *plan.instances]
        self._process: subprocess.Popen[bytes] | None = None
        self.kills = 0

    def start(self) -> None:
        """Start the process unless it runs."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, cwd=_ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE
            )

    def kill(self) -> None:
        """Kill it, whatever it does at the moment."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        process.communicate()
        self.kills += 1

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop it for a while, as a closed laptop does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def end(self) -> list[str]:
        """End it in an orderly way; return what is wrong with its end."""
        process, self._process = self._process, None
        assert process is not None
        try:
            _, errors = process.communicate(b"", timeout=_SETTLE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return ["the consumer did not end"]
        found = [f"the consumer failed: {errors.decode()}"] if process.returncode else []
        left = {path.name for path in self._inbox.parent.iterdir()}
        left -= {self._inbox.name, self._record.name, self._inbox.name + ".lock"}
        return found + ([f"files left: {sorted(left)}"] if left else [])

    def delivered(self) -> list[Got]:
        """Return what was processed so far; *at* is the process that did it."""
        if not self._record.exists():
            return []
        lines = self._record.read_text(encoding="utf-8").splitlines()
        rows = [line.split("\t") for line in lines]
        return [
            Got("", name, int(number), replayed == "1", redelivered == "1", float(pid))
            for name, number, replayed, redelivered, pid in rows
        ]


def _wait(world: World, victim: Victim) -> None:
    deadline = time.monotonic() + _SETTLE
    while missing(world.sent, victim.delivered()) and time.monotonic() < deadline:
        time.sleep(0.05)


def check(sent: list[Sent], delivered: list[Got]) -> list[str]:
    """Return what is wrong: nothing is lost, and what comes again says so."""
    found = [f"lost: {message}" for message in missing(sent, delivered)]
    seen: set[int] = set()
    for event in delivered:
        if event.number in seen and not event.redelivered:
            found.append(f"twice, and not marked: {event}")
        seen.add(event.number)
    for process in {event.at for event in delivered}:
        mine = [event for event in delivered if event.at == process and not event.redelivered]
        found += disorder(mine)
    return found
