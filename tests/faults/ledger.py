"""What was emitted and what was delivered, and whether the two agree. Knows no socket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import attrs

from evolution_ws import Event


@attrs.frozen
class Sent:
    """A message that the server has stored."""

    instance: str
    number: int
    """Counts all events of the run, in the order in which they were emitted."""
    at: float
    """Seconds since the run began."""


@attrs.frozen
class Got:
    """An event that a consumer was given."""

    type: str
    instance: str
    number: int
    replayed: bool
    redelivered: bool
    at: float


def key_id(instance: str, number: int) -> str:
    """Return the id of a message that carries its number."""
    return f"{instance}:{number:06d}"


def got(event: Event, at: float) -> Got:
    """Return the record of a delivered event."""
    data: Any = event.data
    name, _, number = str(data["key"]["id"] if "key" in data else data["id"]).rpartition(":")
    assert name == event.instance, "an event of another instance"
    return Got(event.type, name, int(number), event.replayed, event.redelivered, at)


def missing(sent: Iterable[Sent], delivered: Iterable[Got]) -> list[Sent]:
    """Return the messages that were stored and not delivered."""
    numbers = {event.number for event in delivered}
    return [message for message in sent if message.number not in numbers]


def problems(sent: list[Sent], delivered: list[Got], *, strict: bool) -> list[str]:
    """
    Return what is wrong with what one consumer was given; an empty list is perfection.

    Args:
        strict:
            Whether replayed messages have to come before newer live events, which
            holds as long as the history can be had.
    """
    found = [f"lost: {message}" for message in missing(sent, delivered)]
    counts = Counter(event.number for event in delivered)
    found += [f"twice: {event}" for event in delivered if counts[event.number] > 1]
    found += disorder(delivered)
    if strict:
        found += late_replays(delivered)
    return found


def disorder(delivered: Iterable[Got]) -> list[str]:
    """Return the live events that came after a later one of their instance."""
    last: dict[str, int] = {}
    found = []
    for event in delivered:
        if event.replayed:
            continue
        if event.number < last.get(event.instance, -1):
            found.append(f"out of order: {event} after {last[event.instance]}")
        last[event.instance] = event.number
    return found


def late_replays(delivered: Iterable[Got]) -> list[str]:
    """Return the replayed messages that came after a newer live event of their instance."""
    newest: dict[str, int] = {}
    found = []
    for event in delivered:
        if not event.replayed:
            newest[event.instance] = max(event.number, newest.get(event.instance, -1))
        elif event.number < newest.get(event.instance, -1):
            found.append(f"late replay: {event} after {newest[event.instance]}")
    return found
