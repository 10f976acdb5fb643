"""A million events through restarts, drops and kicks: none lost, none twice, memory flat."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evolution_ws.testing import FakeEvolutionServer
from tests.faults.history_tools import message
from tests.faults.ledger import key_id


_ROOT = Path(__file__).parents[2]
# How far the server may be ahead of the consumer, well below the size of its inbox.
_LEAD = 4_000
# Stored messages that the server keeps, far more than a window can hold.
_KEPT = 100_000
# Share of the run after which memory has to be flat, and how flat.
_WARM = 0.2
_GROWTH = 1.15
_HANGS = 90.0


class Soak:
    """One run: this process has the server, another one the client."""

    def __init__(self, total: int, seed: int, say: Callable[[str], object]) -> None:
        self._total = total
        self._dice = random.Random(seed)
        self._say = say
        self._reports: list[dict[str, Any]] = [{"count": 0, "twice": 0, "rss": 0}]
        self._server = FakeEvolutionServer(
            instances=("sales",), ping_interval=1.0, ping_timeout=3.0
        )
        self._moved = time.monotonic()

    def go(self) -> list[str]:
        """Run; return what is wrong, which is nothing."""
        with self._server:
            command = [sys.executable, "-m", "tests.faults.soak_client", self._server.url]
            process = subprocess.Popen(
                [*command, str(self._total)], cwd=_ROOT, stdout=subprocess.PIPE, text=True
            )
            reader = threading.Thread(target=self._read, args=(process,), daemon=True)
            reader.start()
            try:
                self._server.wait_for_client("sales", timeout=30)
                self._emit(process)
                process.wait(_HANGS * 2)
            finally:
                process.kill()
                process.wait()
                reader.join()
        return self._problems(process.returncode)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self._reports.append(json.loads(line))
                self._moved = time.monotonic()

    def _emit(self, process: subprocess.Popen[str]) -> None:
        next_fault = 5_000
        for number in range(1, self._total + 1):
            self._server.emit("messages.upsert", message(key_id("sales", number)))
            if number % 500 == 0:
                self._wait_for_consumer(number, process)
            if number % 50_000 == 0:
                self._prune()
                last = self._reports[-1]
                self._say(f"{number} events, client at {last['rss'] / 1e6:.0f} MB")
            if number >= next_fault:
                next_fault += self._dice.randint(5_000, 20_000)
                self._fault()

    def _fault(self) -> None:
        kind = self._dice.choice(("restart", "drop", "kick", "close"))
        if kind == "restart":
            self._server.restart(self._dice.choice((0.0, 0.2)))
        elif kind == "drop":
            self._server.drop()
        else:
            self._server.kick(close=kind == "close")

    def _wait_for_consumer(self, number: int, process: subprocess.Popen[str]) -> None:
        while self._reports[-1]["count"] < number - _LEAD:
            if process.poll() is not None or time.monotonic() - self._moved > _HANGS:
                raise RuntimeError(f"the consumer stands still at {self._reports[-1]}")
            time.sleep(0.005)

    def _prune(self) -> None:
        for rows in self._server._history._rows.values():
            del rows[:-_KEPT]

    def _problems(self, code: int) -> list[str]:
        last = self._reports[-1]
        found = [] if code == 0 else [f"the consumer ended with {code}"]
        wrong = {"missing": 0, "twice": 0, "closed": True, "threads": [], "sockets": []}
        wrong["dropped"] = 0
        found += [
            f"{name}: {last.get(name)}" for name, good in wrong.items() if last.get(name) != good
        ]
        warm = next((r for r in self._reports if r["count"] >= self._total * _WARM), last)
        most = max(report["rss"] for report in itertools.chain(self._reports))
        if most > warm["rss"] * _GROWTH:
            found.append(f"memory grew from {warm['rss']} to {most} bytes")
        self._say(
            f"{last['count']} events, {last.get('replayed')} of them replayed, "
            f"{last.get('reconnects')} reconnects; memory {warm['rss'] / 1e6:.0f} MB after "
            f"{_WARM:.0%} of the run, at most {most / 1e6:.0f} MB"
        )
        return found
