"""What happens to the connection, as an event."""

from __future__ import annotations

import pickle
from datetime import datetime, timezone

import attrs
import pytest

from evolution_ws import ConnectError, LifecycleEvent
from evolution_ws.event_types import is_known
from evolution_ws.lifecycle import LIFECYCLE_TYPES


def test_an_event_shows_what_belongs_to_its_type() -> None:
    """What is not said is None, or empty."""
    event = LifecycleEvent(type="disconnect", reason="the server closed the connection")

    assert (event.type, event.reason) == ("disconnect", "the server closed the connection")
    assert (event.error, event.delay, event.start, event.instance) == (None, None, None, "")


def test_an_event_is_immutable_and_may_be_acknowledged() -> None:
    """It is handed to several consumers, and never delivered again."""
    event = LifecycleEvent(type="connect")

    event.ack()
    event.ack()

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.type = "gap"  # type: ignore[misc]


def test_an_event_pickles() -> None:
    """With its times and its error."""
    start = datetime(2026, 1, 2, tzinfo=timezone.utc)
    event = LifecycleEvent(type="gap", start=start, error=ConnectError("why"), replayed=3)

    twin = pickle.loads(pickle.dumps(event))

    assert (twin.type, twin.start, str(twin.error), twin.replayed) == ("gap", start, "why", 3)


def test_no_event_of_a_server_has_such_a_name() -> None:
    """Names of the connection and names of the wire do not mix."""
    assert [name for name in sorted(LIFECYCLE_TYPES) if is_known(name)] == []
