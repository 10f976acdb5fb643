"""
What clients count, for Prometheus.

Needs the extra ``metrics``: ``pip install 'evolution-ws[metrics]'``.
"""

from __future__ import annotations

import itertools
import re
import weakref
from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs

from .client import Client
from .state import ConnectionState, NamespaceState


try:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ImportError as exc:  # pragma: no cover - tested in a process of its own
    raise ImportError(
        "evolution_ws.metrics needs prometheus_client: pip install 'evolution-ws[metrics]'"
    ) from exc


__all__ = ["ClientCollector"]

_COUNTERS = {
    "received": ("events_received", "Events that came over the wire."),
    "delivered": ("events_delivered", "Events handed to consumers, each counted."),
    "dropped": ("events_dropped", "Events thrown away because a queue was full."),
    "filtered": ("events_filtered", "Events that no consumer wanted."),
    "duplicates": ("events_duplicate", "Second copies of events, left out."),
    "replayed": ("events_replayed", "Events fetched from the server's history."),
    "malformed": ("packets_malformed", "Packets that could not be understood."),
    "callback_errors": ("callback_errors", "Exceptions raised by callbacks."),
    "reconnects": ("reconnects", "Connections after the first one."),
    "emitted": ("events_emitted", "Events handed to the socket."),
    "emits_lost": ("emits_lost", "Emitted events that met a connection that was gone."),
}

_GAUGES = {
    "queue_events": ("queue_events", "Events that wait, over all queues."),
    "queue_bytes": ("queue_bytes", "Memory that waiting events take, estimated."),
    "connected_since": (
        "connected_since_timestamp_seconds",
        "Start of the present connection; 0 while there is none.",
    ),
    "last_event_at": (
        "last_event_timestamp_seconds",
        "When the last event arrived; 0 before the first.",
    ),
}

_PREFIX = "evolution_ws_"

# Instances are often named by their number, and metrics travel far.
_NUMBER = re.compile(r"\+?\d(?:[ ().-]?\d){7,}")


class ClientCollector(Collector):
    """
    Collects the counters, the state and the namespaces of clients.

    Example::

        from prometheus_client import REGISTRY, start_http_server

        from evolution_ws import Client
        from evolution_ws.metrics import ClientCollector

        client = Client.from_env()
        REGISTRY.register(ClientCollector(client))
        start_http_server(9100)

    Every series has the label ``client``: the name under which the client was given, else the
    names of its instances (``all`` for every instance), with a number behind it where that is
    taken. What looks like a phone number in a name is replaced by its place.

    Clients are held weakly; one that nobody holds any more is no longer reported. In the
    multiprocess mode of prometheus_client, collectors such as this are not supported.

    Args:
        clients:
            Clients to be named by their instances.
        named:
            Clients by the name to give them.

    Threads:
        Any. Reading takes no lock that the clients' own threads wait for.
    """

    def __init__(self, *clients: Client, **named: Client) -> None:
        self._clients: weakref.WeakValueDictionary[str, Client] = weakref.WeakValueDictionary()
        for client in clients:
            self.add(client)
        for name, client in named.items():
            self.add(client, name)

    def add(self, client: Client, name: str | None = None) -> str:
        """
        Report *client* as well.

        Args:
            client:
                The client.
            name:
                Value of its label; None takes the names of its instances.

        Returns:
            The value of its label.
        """
        instances = client.instances
        plain = name or ("all" if instances is None else ",".join(instances))
        label = first = _without_numbers(plain, 1)
        number = 1
        while label in self._clients:
            number += 1
            label = f"{first}-{number}"
        self._clients[label] = client
        return label

    def collect(self) -> Iterable[Metric]:
        """Return all metrics, as they are now."""
        clients = dict(self._clients)
        stats = {
            name: attrs.asdict(client.stats, recurse=False) for name, client in clients.items()
        }
        metrics: list[Metric] = []
        for field, (metric, text) in _COUNTERS.items():
            counter = CounterMetricFamily(_PREFIX + metric, text, labels=["client"])
            for name, values in stats.items():
                counter.add_metric([name], values[field])
            metrics.append(counter)
        for field, (metric, text) in _GAUGES.items():
            gauge = GaugeMetricFamily(_PREFIX + metric, text, labels=["client"])
            for name, values in stats.items():
                gauge.add_metric([name], _number(values[field]))
            metrics.append(gauge)
        return [*metrics, _states(clients), _namespaces(clients)]


def _states(clients: Mapping[str, Client]) -> Metric:
    family = GaugeMetricFamily(
        f"{_PREFIX}connection_state",
        "1 for the state that the client is in, 0 for the others.",
        labels=["client", "state"],
    )
    for name, client in clients.items():
        present = client.state
        for state in ConnectionState:
            family.add_metric([name, state.value], state is present)
    return family


def _namespaces(clients: Mapping[str, Client]) -> Metric:
    family = GaugeMetricFamily(
        f"{_PREFIX}namespace_state",
        "1 for the state that the namespace is in, 0 for the others.",
        labels=["client", "namespace", "state"],
    )
    for name, client in clients.items():
        for place, (namespace, told) in enumerate(sorted(client.namespaces.items())):
            label = _without_numbers(namespace, place)
            # The server's own words would be a label without end.
            present = NamespaceState.REFUSED if isinstance(told, str) else told
            for state in NamespaceState:
                family.add_metric([name, label, state.value], state is present)
    return family


def _number(value: int | datetime | None) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    return value or 0


def _without_numbers(name: str, first: int) -> str:
    places = itertools.count(first)
    return _NUMBER.sub(lambda _: f"number-{next(places)}", name)
