"""The judgement of what was seen while connected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from evolution_ws import NamespaceState
from evolution_ws.cli._arguments import Target
from evolution_ws.cli._check_live import Watch, judge_clock, judge_events, judge_namespaces, watch
from evolution_ws.cli._findings import Finding, Status
from evolution_ws.cli._site import Site, make_site
from evolution_ws.config import ClientConfig
from evolution_ws.testing import FakeEvolutionServer


@pytest.fixture
def site() -> Site:
    """Return a site about which nothing is known."""
    target = Target("http://127.0.0.1:1", ("sales",), None, ClientConfig())
    return make_site(target, ("messages.upsert",), 1)


def only(findings: Iterator[Finding]) -> Finding:
    """Return the only finding."""
    [found] = findings
    return found


@pytest.mark.parametrize(
    ("state", "is_global", "status", "said"),
    [
        (NamespaceState.JOINED, False, Status.OK, "is joined"),
        (NamespaceState.PENDING, False, Status.WARNING, "after each restart"),
        (NamespaceState.PENDING, True, Status.OK, "global mode does without"),
        (NamespaceState.ASKED, False, Status.WARNING, "not joined: asked"),
        ("no way\x1b", False, Status.WARNING, "no way\\u001b"),
    ],
    ids=["joined", "pending", "global", "asked", "refused"],
)
def test_namespaces(
    site: Site, state: NamespaceState | str, is_global: bool, status: Status, said: str
) -> None:
    """Each state of a namespace is told, with the server's words where it has some."""
    seen = Watch(namespaces={"/sales": state})
    if is_global:
        seen.by_namespace["/"] = 1

    found = only(judge_namespaces(site, seen))

    assert status is found.status
    assert said in found.evidence


def test_pending_because_of_the_settings(site: Site) -> None:
    """A namespace waits for the settings when they select nothing that is wanted."""
    site.settings["sales"] = None

    found = only(judge_namespaces(site, Watch(namespaces={"/sales": NamespaceState.PENDING})))

    assert found.remedy == "First correct the settings"


def test_no_connection(site: Site) -> None:
    """A client that cannot connect has its own finding, and nothing was seen."""
    seen = watch(site, 0.1)

    found = only(judge_namespaces(site, seen))

    assert found.status is Status.FAILURE
    assert "nobody listens" in found.evidence
    assert list(judge_events(site, seen, 1)) == []


def test_connection_that_is_refused_meanwhile() -> None:
    """A server that takes the probe and refuses the client afterwards is found out."""
    with FakeEvolutionServer(instances=("sales",)) as server:
        server.refuse(503)
        target = Target(server.url, ("sales",), None, ClientConfig())
        seen = watch(make_site(target, ("call",), 1), 0.1)

    assert "503" in (seen.error or "")


@pytest.mark.parametrize(
    ("offsets", "skew", "said"),
    [
        ([0.2, 0.1], 0.0, "events carry UTC"),
        ([-10800.2, -10800.1], None, "UTC-3 h"),
        ([20700.0], 0.0, "UTC+5.75 h"),
    ],
    ids=["utc", "west", "quarters"],
)
def test_zones(site: Site, offsets: list[float], skew: float | None, said: str) -> None:
    """The zone is told from the events, whether HTTP tells a time or not."""
    site.skew = skew

    assert said in only(judge_clock(site, Watch(offsets=offsets))).evidence


def test_no_clock(site: Site) -> None:
    """Where nothing tells a time, nothing is said."""
    assert list(judge_clock(site, Watch())) == []


def test_no_waiting(site: Site) -> None:
    """Without waiting there is nothing to say about events."""
    assert list(judge_events(site, Watch(events=Counter()), 0)) == []
