"""Run one plan, and see whether every promise was kept."""

from __future__ import annotations

import contextlib
import gc
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs

from evolution_ws import Backoff, Client, EvolutionError
from tests.faults.consumers import Recorder, consume
from tests.faults.leaks import client_threads, descriptors, new_descriptors, stacks
from tests.faults.ledger import missing, problems
from tests.faults.plan import Plan, Step
from tests.faults.scale import short_times
from tests.faults.world import World


# Seconds in which everything has to be delivered once all is well again.
_SETTLE = 12.0
# The same, before another gap is made. A history that was refused for good is asked again then.
_SETTLE_FINAL = 2.0
_CLOSE = 4.0
# What a durable inbox leaves: its file, and the one that two processes lock.
_KEPT = (".db", ".lock")


@attrs.define
class Result:
    """What came of a run."""

    seed: int
    problems: list[str] = attrs.field(factory=list)
    stored: int = 0
    delivered: int = 0
    replayed: int = 0
    reconnects: int = 0
    gaps: list[str] = attrs.field(factory=list, repr=False)
    seconds: float = 0.0

    def text(self) -> str:
        """Return the result in a line, with up to ten problems below it."""
        line = (
            f"seed {self.seed}: {self.stored} stored, {self.delivered} delivered, "
            f"{self.replayed} replayed, {self.reconnects} reconnects, {self.seconds:.1f} s"
        )
        return "\n  ".join([line, *self.problems[:10]])


def run(plan: Plan) -> Result:
    """Run *plan*."""
    result = Result(plan.seed)
    begin = time.monotonic()
    gc.collect()
    before = descriptors()
    with short_times(), tempfile.TemporaryDirectory() as directory:
        with World(plan) as world:
            Run(plan, world, result, Path(directory)).go()
        if files := [path.name for path in Path(directory).iterdir() if path.suffix not in _KEPT]:
            result.problems.append(f"files left: {files}")
    gc.collect()
    if leaked := new_descriptors(before):
        result.problems.append(f"descriptors left: {leaked}")
    result.seconds = time.monotonic() - begin
    return result


@contextlib.contextmanager
def producing(plan: Plan, world: World) -> Iterator[None]:
    """Have events happen all the time, at the plan's rate."""
    dice = random.Random(plan.seed + 2)
    stop = threading.Event()

    def produce() -> None:
        while not stop.wait(dice.expovariate(plan.rate)):
            world.emit(dice.choices(("text", "binary", "presence"), (6, 2, 2))[0])

    thread = threading.Thread(target=produce, name="producer", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Run:
    """The course of one run."""

    def __init__(self, plan: Plan, world: World, result: Result, directory: Path) -> None:
        self._plan = plan
        self._world = world
        self._result = result
        self._is_over = threading.Event()
        self._client = Client(
            world.url,
            None if plan.wildcard else plan.instances,
            api_key="invented-key",
            backoff=Backoff(initial=0.05, maximum=0.4),
            connect_timeout=1.5,
            proxy=None,
            durable=directory / "inbox.db" if plan.durable else None,
        )

    def go(self) -> None:
        """Connect, suffer the plan's steps, recover, close, and check."""
        client, plan = self._client, self._plan
        gaps = client.subscribe("gap")
        recorders = consume(client, plan.consumer, self._recorder)
        try:
            client.connect(10)
            with producing(plan, self._world):
                for step in plan.steps:
                    time.sleep(step.pause)
                    self._take(step)
            self._recover(recorders)
        except EvolutionError as exc:
            self._result.problems.append(f"the client failed: {exc!r}")
        finally:
            self._close(recorders)
        self._result.gaps = [str(gap) for gap in gaps]
        self._check(recorders)

    def _recorder(self, index: int) -> Recorder:
        plan = self._plan
        return Recorder(lambda: self._world.age, plan.slowness, plan.seed + index)

    def _take(self, step: Step) -> None:
        own = getattr(self, "_" + step.name, None)
        action: Callable[..., Any] = own or getattr(self._world, step.name)
        action(**step.args)

    # Steps that are not the server's own

    def _burst(self, count: int, kind: str) -> None:
        for _ in range(count):
            self._world.emit(kind)

    def _reset(self) -> None:
        self._world.proxy.reset()

    def _half_open(self) -> None:
        self._world.proxy.half_open()

    def _black_hole(self, seconds: float) -> None:
        self._world.proxy.set(swallow=True)
        self._world.proxy.half_open()
        time.sleep(seconds)
        self._world.proxy.set(swallow=False)

    def _weather(self, **weather: float) -> None:
        self._world.proxy.set(**weather)

    def _slow_line(self, bandwidth: int, seconds: float) -> None:
        self._world.proxy.set(bandwidth=bandwidth)
        time.sleep(seconds)
        self._world.proxy.set(bandwidth=None)

    def _cut(self, size: int) -> None:
        self._world.proxy.cut_after(size)

    def _socket_refused(self, seconds: float) -> None:
        self._refused("socket_refused", False, seconds)

    def _rest_refused(self, seconds: float) -> None:
        self._refused("rest_refused", None, seconds)

    def _refused(self, which: str, is_rest: bool | None, seconds: float) -> None:
        self._world.proxy.set(**{which: True})
        self._world.proxy.reset(is_rest)
        time.sleep(seconds)
        self._world.proxy.set(**{which: False})

    def _dns_fails(self, seconds: float) -> None:
        self._world.names.fails = True
        self._world.proxy.reset(rest=False)
        time.sleep(seconds)
        self._world.names.fails = False

    def _client_emits(self) -> None:
        with contextlib.suppress(EvolutionError):  # there may be no connection
            self._client.emit("sendNode", {"stanza": {}}, namespace="/")

    # The end

    def _recover(self, recorders: list[Recorder]) -> None:
        world = self._world
        world.heal()
        for instance in self._plan.instances:  # makes the namespaces that a restart has cost
            world.emit(instance=instance)
        if not self._plan.is_strict and not self._wait(recorders, _SETTLE_FINAL):
            world.proxy.reset()
        self._wait(recorders, _SETTLE)

    def _wait(self, recorders: list[Recorder], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while any(missing(self._world.sent, recorder.delivered) for recorder in recorders):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _close(self, recorders: list[Recorder]) -> None:
        begin = time.monotonic()
        found = self._result.problems
        self._result.reconnects = self._client.stats.reconnects
        if not self._client.close(_CLOSE):
            found.append(f"close() did not end everything: {stacks()}")
        if time.monotonic() - begin > _CLOSE:
            found.append("close() took too long")
        if not all(recorder.has_ended(_CLOSE) for recorder in recorders):
            found.append("a loop did not end with close()")
        if threads := client_threads():
            found.append(f"threads left: {threads}")

    def _check(self, recorders: list[Recorder]) -> None:
        result, stats = self._result, self._client.stats
        for recorder in recorders:
            if recorder.error is not None:
                result.problems.append(f"a consumer failed: {recorder.error!r}")
            result.problems += problems(
                self._world.sent, recorder.delivered, strict=self._plan.is_strict
            )
        for name in ("malformed", "dropped", "callback_errors"):
            if getattr(stats, name):
                result.problems.append(f"{name}: {getattr(stats, name)}")
        result.stored = len(self._world.sent)
        result.delivered = len(recorders[0].delivered)
        result.replayed = stats.replayed
