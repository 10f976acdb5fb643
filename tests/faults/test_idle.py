"""A client for which nothing happens costs next to nothing."""

from __future__ import annotations

import itertools

from evolution_ws import NamespaceState
from evolution_ws._joins import INVALID_NAMESPACE, Joins
from evolution_ws.testing import FakeEvolutionServer
from tests.faults.scripts import script


WATCH = """
import sys, time, psutil
from evolution_ws import Client, NamespaceState
client = Client(sys.argv[1], [f"i{n}" for n in range(20)], api_key="invented-key").connect()
assert set(client.namespaces.values()) == {NamespaceState.JOINED, NamespaceState.PENDING}
process = psutil.Process()
def used():
    times, switches = process.cpu_times(), process.num_ctx_switches()
    return times.user + times.system, switches.voluntary
cpu, wakes = used()
time.sleep(5)
now, woken = used()
print(now - cpu, woken - wakes)
client.close()
"""


def test_twenty_pending_namespaces() -> None:
    """Asking for them again takes a few wake-ups a second and hardly any processor time."""
    names = [f"i{number}" for number in range(20)]
    with FakeEvolutionServer(instances=names, lazy=True) as server:
        cpu, wakes = map(float, script(WATCH, server.url).split())

    # Five seconds, in which twenty namespaces are asked for three times each.
    assert cpu < 0.5
    assert wakes < 500


def test_the_retries_of_a_day() -> None:
    """A namespace that is pending for a day is asked for every fifteen seconds, without drift."""
    joins = Joins(["/sales"], patience=10.0)
    asked = []
    now = 0.0
    while now < 86_400:
        joins.asked("/sales", now)
        joins.refused("/sales", INVALID_NAMESPACE, now)
        asked.append(now)
        due = joins.next_due()
        assert due is not None
        now = due

    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert 1.0 == pauses[0]
    assert {15.0} == set(pauses[10:])
    assert joins.snapshot() == {"/sales": NamespaceState.PENDING}
    assert len(asked) < 5_800
