"""States and counters."""

from __future__ import annotations

import copy
import enum
import pickle

import attrs
import pytest

from evolution_ws import ConnectionState, NamespaceState, Stats


@pytest.mark.parametrize("kind", [ConnectionState, NamespaceState])
def test_values_are_the_names_in_lower_case(kind: type[enum.Enum]) -> None:
    """Logs and JSON show the value."""
    assert [member.value for member in kind] == [member.name.lower() for member in kind]


def test_a_snapshot_does_not_change() -> None:
    """Counters of a moment are values."""
    stats = Stats(received=3)

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        stats.received = 4  # type: ignore[misc]
    assert (stats, hash(stats)) == (Stats(received=3), hash(Stats(received=3)))


def test_a_new_snapshot_is_empty() -> None:
    """Every counter begins at 0, every time at None."""
    values = set(attrs.asdict(Stats()).values())

    assert values == {0, None}


def test_a_snapshot_pickles() -> None:
    """Other processes may collect them."""
    stats = Stats(received=3)

    assert pickle.loads(pickle.dumps(stats)) == copy.copy(stats) == stats
