"""Connect as a client does, wait for events, and judge what came."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import attrs

from ..events import Event
from ..exceptions import EvolutionError
from ..state import NamespaceState
from ..subscription import Subscription
from ._check_account import missing
from ._findings import Finding, failure, ok, warning
from ._logs import connected
from ._output import escaped
from ._site import Site


# Time zones differ by quarters of an hour; what is left over is delay and skew.
_QUARTER = 900.0
# Enough to confuse windows of the history, and more than any delay of the network.
_WORST_SKEW = 5.0


@attrs.define
class Watch:
    """What was seen while connected."""

    namespaces: dict[str, NamespaceState | str] = attrs.field(factory=dict)
    events: Counter[str] = attrs.field(factory=Counter)
    by_namespace: Counter[str] = attrs.field(factory=Counter)
    offsets: list[float] = attrs.field(factory=list)
    """Seconds by which the server's wall clock in events is ahead of UTC here."""
    seconds: float = 0.0
    error: str | None = None
    """Why there was no connection."""

    @property
    def is_global(self) -> bool:
        """Whether the server is known to be in global mode."""
        return self.by_namespace["/"] > 0


def watch(site: Site, seconds: float) -> Watch:
    """Connect and gather events for *seconds*, or until each wanted kind was seen."""
    seen = Watch()
    started = time.monotonic()
    client = site.target.client(queue_size=0, backfill=False)
    try:
        with client.subscribe() as stream, connected(client):
            for event in _until(stream, started + seconds):
                _note(seen, event)
                if not set(site.wanted) - set(seen.events):
                    break
            seen.namespaces = dict(client.namespaces)
    except (EvolutionError, TimeoutError) as exc:
        seen.error = escaped(str(exc))
    finally:
        client.close()
    seen.seconds = time.monotonic() - started
    return seen


def _until(stream: Subscription, deadline: float) -> Iterator[Event]:
    while True:
        left = deadline - time.monotonic()
        try:
            yield stream.get(timeout=max(0.0, left))
        except TimeoutError:
            return


def _note(seen: Watch, event: Event) -> None:
    seen.events[event.type] += 1
    seen.by_namespace[event.namespace] += 1
    offset = clock_offset(event)
    if offset is not None:
        seen.offsets.append(offset)


def clock_offset(event: Event) -> float | None:
    """Return by how many seconds the event's wall clock is ahead of UTC; None without one."""
    try:
        told = datetime.fromisoformat((event.date_time or "").replace("Z", "+00:00"))
    except ValueError:
        return None
    return (told - event.received_at).total_seconds() if told.tzinfo is not None else None


def judge_namespaces(site: Site, seen: Watch) -> Iterator[Finding]:
    """Tell for each instance whether its namespace is joined, and why not."""
    if seen.error is not None:
        yield failure("connection", seen.error, "See the lines above")
        return
    for name in site.instances or ():
        yield _namespace(site, seen, name)


def _namespace(site: Site, seen: Watch, name: str) -> Finding:
    state = seen.namespaces.get(f"/{name}")
    if state is NamespaceState.JOINED:
        return ok("namespace", f"/{name} is joined")
    if state is NamespaceState.PENDING:
        evidence = (
            f"/{name} does not exist yet: the server creates it with the first selected event"
        )
        if name in site.unknown:
            return warning("namespace", f"/{name} does not exist", "First correct the name")
        if seen.is_global:
            return ok("namespace", f"{evidence}; global mode does without")
        if name in site.settings and missing(site, name):
            return warning("namespace", evidence, "First correct the settings")
        return warning(
            "namespace",
            f"{evidence} after each restart; that event itself is lost",
            "A client keeps asking and fetches lost messages; send a message to see it appear, or "
            "select CONNECTION_UPDATE so that it appears sooner",
        )
    reason = state.value if isinstance(state, NamespaceState) else escaped(str(state))
    return warning("namespace", f"/{name} is not joined: {reason}", "Look at the server's log")


def judge_global(site: Site, seen: Watch) -> Iterator[Finding]:
    """Tell whether the server is in global mode, as far as events have shown it."""
    if seen.error is not None:
        return
    if seen.is_global:
        yield ok("global mode", "on: / gets every event of every instance")
    elif seen.events:
        yield ok("global mode", "off: each instance has its namespace alone")
    elif site.instances is None:
        yield warning(
            "global mode",
            "not known, since no event came; all instances can be heard in global mode only",
            "Name the instances, or set WEBSOCKET_GLOBAL_EVENTS=true on the server",
        )
    else:
        yield ok("global mode", "not known, since no event came; it is not needed here")


def judge_events(site: Site, seen: Watch, wait: float) -> Iterator[Finding]:
    """Tell which events came while waiting."""
    if seen.error is not None or not wait:
        return
    counts = ", ".join(f"{count} {escaped(name)}" for name, count in seen.events.most_common(5))
    lacking = sorted(set(site.wanted) - set(seen.events))
    if not lacking:
        yield ok("events", f"{counts} within {seen.seconds:.1f} s")
    elif counts:
        yield warning(
            "events",
            f"{counts} within {seen.seconds:.0f} s, but no {', '.join(lacking)}",
            "Do what causes it (send a message to the number) and run again with --wait 60",
        )
    else:
        yield warning(
            "events",
            f"none within {seen.seconds:.0f} s",
            "Mend what stands above, if anything; send a message to the number; run again with "
            "--wait 60",
        )


def judge_clock(site: Site, seen: Watch) -> Iterator[Finding]:
    """Compare the clocks, and tell the time zone in which the server writes."""
    zone = ""
    if seen.offsets:
        middle = sorted(seen.offsets)[len(seen.offsets) // 2]
        quarters = round(middle / _QUARTER)
        if quarters:
            hours = quarters * _QUARTER / 3600
            zone = f"; events carry local time, UTC{hours:+g} h, with a wrong Z: use received_at"
        else:
            zone = "; events carry UTC"
    if site.skew is None:
        if zone:
            yield ok("clock", f"not told over HTTP{zone}")
    elif abs(site.skew) > _WORST_SKEW:
        direction = "ahead of" if site.skew > 0 else "behind"
        yield warning(
            "clock",
            f"the server's is {abs(site.skew):.0f} s {direction} this machine's{zone}",
            "Set both by NTP: the history is asked for by time",
        )
    else:
        yield ok("clock", f"within {_WORST_SKEW:g} s of the server's{zone}")
