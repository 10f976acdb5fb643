"""Tests for :mod:`evolution_ws.metrics`."""

from __future__ import annotations

import gc
import time

import attrs
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from evolution_ws import Client, ConnectionState, NamespaceState, Stats, metrics
from evolution_ws.metrics import ClientCollector
from evolution_ws.testing import FakeEvolutionServer, build

from .core_tools import make_client, python
from .helpers import wait_until


def registry_of(*clients: Client, **named: Client) -> CollectorRegistry:
    """Return a registry with a collector for these clients."""
    registry = CollectorRegistry()
    registry.register(ClientCollector(*clients, **named))
    return registry


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """Return the value of a series; None when there is none."""
    return registry.get_sample_value(f"evolution_ws_{name}", labels)


def test_every_counter_is_collected() -> None:
    """No field of the stats is left out, now or when one is added."""
    collected = {*metrics._COUNTERS, *metrics._GAUGES}

    assert {field.name for field in attrs.fields(Stats)} == collected


def test_values_follow_the_client(server: FakeEvolutionServer) -> None:
    """Counters, moments, state and namespaces are those of the client at the moment."""
    with make_client(server.url) as client:
        registry = registry_of(client)
        before = time.time()
        for number in range(3):
            server.emit("messages.upsert", {"seq": number})
        wait_until(lambda: client.stats.received == 3)

        assert value(registry, "events_received_total", client="sales") == 3
        assert value(registry, "queue_events", client="sales") == 3
        assert value(registry, "events_delivered_total", client="sales") == 0
        assert value(registry, "connection_state", client="sales", state="open") == 1
        assert value(registry, "connection_state", client="sales", state="closed") == 0
        joined = {"client": "sales", "namespace": "/sales", "state": "joined"}
        assert value(registry, "namespace_state", **joined) == 1
        last = value(registry, "last_event_timestamp_seconds", client="sales")
        assert last is not None
        assert last >= before - 1


def test_unconnected() -> None:
    """What has not happened yet is 0, and exactly one state is 1."""
    client = make_client("http://127.0.0.1:1")
    registry = registry_of(client)

    assert value(registry, "connected_since_timestamp_seconds", client="sales") == 0
    assert value(registry, "last_event_timestamp_seconds", client="sales") == 0
    states = {
        state: value(registry, "connection_state", client="sales", state=state.value)
        for state in ConnectionState
    }
    assert [state for state, told in states.items() if told] == [ConnectionState.NEW]


def test_several_clients() -> None:
    """Each client has its name; one that is taken gets a number."""
    first, second = make_client("http://127.0.0.1:1"), make_client("http://127.0.0.1:1")
    third, fourth = make_client("http://127.0.0.1:1", "*"), make_client("http://127.0.0.1:1")
    registry = registry_of(first, second, third, shop=fourth)

    for name in ("sales", "sales-2", "all", "shop"):
        assert value(registry, "events_received_total", client=name) == 0


def test_refusal_is_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's words are no label; they count as refused."""
    client = make_client("http://127.0.0.1:1")
    told = {"/": NamespaceState.JOINED, "/sales": "come back <b>later</b>"}
    monkeypatch.setattr(Client, "namespaces", property(lambda _: told))
    registry = registry_of(client)

    refused = {"client": "sales", "namespace": "/sales", "state": "refused"}
    assert value(registry, "namespace_state", **refused) == 1
    assert b"later" not in generate_latest(registry)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["5511900000001", "5511900000002"], id="digits"),
        pytest.param(["+55 11 90000-0001", "loja (11) 90000-0002"], id="written for people"),
    ],
)
def test_no_phone_numbers(names: list[str]) -> None:
    """Instances that are named by their number are told apart without it."""
    with FakeEvolutionServer(instances=names) as server, make_client(server.url, names) as client:
        registry = registry_of(client, **{names[0]: client})
        written = generate_latest(registry).decode()
        states = {line for line in written.splitlines() if 'state="joined"} 1.0' in line}

    assert "0000" not in written
    assert len(states) == 2 * 3  # "/" and two namespaces, for each of the two names


def test_clients_are_held_weakly() -> None:
    """A client that nobody holds closes itself, and is no longer reported."""
    client = make_client("http://127.0.0.1:1")
    registry = registry_of(client)

    assert value(registry, "events_received_total", client="sales") == 0
    del client
    gc.collect()

    assert value(registry, "events_received_total", client="sales") is None


def test_text_format(server: FakeEvolutionServer) -> None:
    """What a scrape gets has a help text and a type for every metric, and no message."""
    with make_client(server.url) as client:
        registry = registry_of(client)
        server.emit(build.text("segredo", instance="sales"))
        client.get(timeout=5)
        written = generate_latest(registry).decode()

    assert "# TYPE evolution_ws_events_received_total counter" in written
    assert "segredo" not in written
    assert written.count("# HELP") == len(metrics._COUNTERS) + len(metrics._GAUGES) + 2


def test_without_prometheus() -> None:
    """The error says what to install."""
    process = python(
        "import sys\n"
        "sys.modules['prometheus_client'] = None\n"
        "try:\n    import evolution_ws.metrics\n"
        "except ImportError as exc:\n    print(exc)\n"
    )
    out, _ = process.communicate(timeout=20)

    expected = "evolution_ws.metrics needs prometheus_client: pip install 'evolution-ws[metrics]'"
    assert out.strip() == expected
