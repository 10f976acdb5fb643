"""A random plan of faults, which is the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import attrs


Dice = random.Random


@attrs.frozen
class Step:
    """Something that is done to the server, the network or the client."""

    pause: float
    """Seconds before it."""
    name: str
    args: dict[str, Any] = attrs.field(factory=dict)

    def __str__(self) -> str:
        args = ", ".join(f"{name}={value!r}" for name, value in self.args.items())
        return f"+{self.pause:.2f} {self.name}({args})"


@attrs.frozen
class Plan:
    """One run: the server, the client and what happens to them."""

    seed: int
    backend: str
    """``fake`` is the embedded server, ``node`` socket.io on Node."""
    instances: tuple[str, ...]
    wildcard: bool
    """Whether the client asks for every instance."""
    lazy: bool
    global_events: bool
    store_delay: float
    clock_skew: float | None
    """None: the server's answers carry no date."""
    consumer: str
    """``loop``, ``callbacks``, or ``two`` subscriptions."""
    slowness: float
    """Longest time in seconds that a consumer takes for an event."""
    rate: float
    """Events a second."""
    durable: bool
    steps: tuple[Step, ...]

    @property
    def is_strict(self) -> bool:
        """Whether the history can be had throughout, so that replays are never late."""
        names = {step.name for step in self.steps}
        return not names & {"rest_fails", "rest_slow", "rest_refused"}


def _restart(dice: Dice) -> dict[str, Any]:
    return {"downtime": dice.choice((0.0, 0.05, 0.3, 1.0))}


def _kick(dice: Dice) -> dict[str, Any]:
    return {"which": dice.choice((None, 0, "/")), "close": dice.random() < 0.4}


def _duration(dice: Dice) -> dict[str, Any]:
    return {"seconds": round(dice.uniform(0.05, 1.2), 2)}


def _latency(dice: Dice) -> dict[str, Any]:
    return {"latency": dice.choice((0.02, 0.1, 0.25)), "jitter": dice.choice((0.0, 0.1))}


def _bandwidth(dice: Dice) -> dict[str, Any]:
    return {"bandwidth": dice.choice((2_000, 6_000, 20_000)), **_duration(dice)}


def _cut(dice: Dice) -> dict[str, Any]:
    return {"size": int(10 ** dice.uniform(0, 4.7))}


def _burst(dice: Dice) -> dict[str, Any]:
    return {"count": dice.choice((1, 10, 80)), "kind": dice.choice(("text", "binary", "big"))}


def _rest_fails(dice: Dice) -> dict[str, Any]:
    answers = ((401, None), (404, None), (500, "oops"), (503, None), (200, "<html>"), (200, "[]"))
    status, body = dice.choice((*answers, (200, '{"messages": {"records": 5}}')))
    return {"status": status, "body": body, "seconds": round(dice.uniform(0.3, 2.5), 2)}


def _refusal(dice: Dice) -> dict[str, Any]:
    return {"reason": dice.choice(("Authentication error", 502, 503)), **_duration(dice)}


def _nothing(dice: Dice) -> dict[str, Any]:
    return {}


_FAULTS: dict[str, Callable[[Dice], dict[str, Any]]] = {
    "restart": _restart,
    "kick": _kick,
    "drop": _nothing,
    "freeze": _duration,
    "reset": _nothing,
    "half_open": _nothing,
    "black_hole": _duration,
    "weather": _latency,
    "slow_line": _bandwidth,
    "cut": _cut,
    "burst": _burst,
    "socket_refused": _duration,
    "refuse": _refusal,
    "dns_fails": _duration,
    "client_emits": _nothing,
}
_REST_FAULTS: dict[str, Callable[[Dice], dict[str, Any]]] = {
    "rest_fails": _rest_fails,
    "rest_slow": _duration,
    "rest_refused": _duration,
}


def make_plan(seed: int, backend: str | None = None) -> Plan:
    """Return the plan of *seed*; *backend* overrides the server that it has chosen."""
    dice = random.Random(seed)
    chosen = "node" if dice.random() < 0.2 else "fake"
    is_global = dice.random() < 0.3
    wildcard = is_global and dice.random() < 0.4
    instances = ("sales", "vendas ção", "ops")[: dice.choice((1, 1, 2, 3))]
    faults = dict(_FAULTS)
    if dice.random() < 0.4:
        faults |= _REST_FAULTS
    steps = []
    for _ in range(dice.randint(3, 8)):
        name = dice.choice(list(faults))
        steps.append(Step(round(dice.uniform(0.0, 0.7), 2), name, faults[name](dice)))
    return Plan(
        seed=seed,
        backend=backend or chosen,
        instances=instances,
        wildcard=wildcard,
        lazy=dice.random() < 0.5,
        global_events=is_global,
        store_delay=dice.choice((0.0, 0.0, 0.25)),
        clock_skew=dice.choice((None, 0.0, 0.0, 2.0, -3600.0, 7200.0)) or None,
        consumer=dice.choice(("loop", "callbacks", "two")),
        slowness=dice.choice((0.0, 0.0, 0.004)),
        rate=dice.choice((20.0, 60.0, 120.0)),
        durable=dice.random() < 0.25,
        steps=tuple(steps),
    )
