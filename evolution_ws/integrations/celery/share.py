"""What a forwarder has to know of others: nothing when it is alone, Redis in a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from .cluster import Cluster
from .lease import Leases
from .ledger import Ledger
from .shards import shard_of


__all__ = ["Alone", "Share", "Together"]


class Share(Protocol):
    """Which events this forwarder sends, and which were sent already."""

    @property
    def held(self) -> frozenset[int]:
        """The shards that it sends now."""

    def start(self) -> None:
        """Begin to take part."""

    def close(self) -> None:
        """Leave the work to others."""

    def shard_of(self, instance: str) -> int:
        """Return the shard of an instance."""

    def holds(self, shard: int) -> bool:
        """Return whether this forwarder sends the events of *shard*, at this very moment."""

    def sent(self, ids: Sequence[str]) -> set[str]:
        """Return those of *ids* that the broker has."""

    def add(self, ids: Sequence[str]) -> None:
        """Note that the broker has *ids*."""

    def note_progress(self, shard: int, received_before: float) -> None:
        """Note that everything received until then was sent."""

    def progress(self) -> Mapping[int, float]:
        """Return until when everything received by its sender was sent, by shard."""


class Alone:
    """A forwarder that is the only one."""

    @property
    def held(self) -> frozenset[int]:
        """Its only shard."""
        return frozenset({0})

    def start(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def shard_of(self, instance: str) -> int:
        """Return 0: there is one shard."""
        return 0

    def holds(self, shard: int) -> bool:
        """Return True: there is nobody else."""
        return True

    def sent(self, ids: Sequence[str]) -> set[str]:
        """Return nothing: what was sent has left the inbox."""
        return set()

    def add(self, ids: Sequence[str]) -> None:
        """Do nothing."""

    def note_progress(self, shard: int, received_before: float) -> None:
        """Do nothing."""

    def progress(self) -> Mapping[int, float]:
        """Return nothing."""
        return {}


class Together:
    """
    A forwarder that is one of several.

    Args:
        cluster:
            The settings.
        task_name:
            The task that is called, which names the cluster where nothing else does.
        is_ready:
            Whether events arrive here.
    """

    def __init__(self, cluster: Cluster, task_name: str, is_ready: Callable[[], bool]) -> None:
        prefix = f"evolution-ws:{cluster.name or task_name}"
        self._count = cluster.shards
        self._leases = Leases(cluster, prefix, is_ready)
        self._ledger = Ledger(self._leases.connection, prefix, cluster.expiry)
        self.start = self._leases.start
        self.close = self._leases.close
        self.holds = self._leases.holds
        self.note_progress = self._leases.note_progress
        self.progress = self._leases.progress
        self.sent = self._ledger.sent
        self.add = self._ledger.add

    @property
    def held(self) -> frozenset[int]:
        """The shards that it sends now."""
        return self._leases.held

    def shard_of(self, instance: str) -> int:
        """Return the shard of an instance."""
        return shard_of(instance, self._count)
