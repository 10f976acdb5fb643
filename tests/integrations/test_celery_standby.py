"""The memory for what another forwarder sends, without any other forwarder."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from evolution_ws import Event
from evolution_ws.integrations.celery.share import Alone
from evolution_ws.integrations.celery.standby import Standby


class Other(Alone):
    """Somebody else has the only shard, and has sent these."""

    def __init__(self, sent: set[str], progress: float) -> None:
        self._sent, self._progress = sent, progress

    @property
    def held(self) -> frozenset[int]:
        """No shard."""
        return frozenset()

    def sent(self, ids: Sequence[str]) -> set[str]:
        """Return what it has sent."""
        return self._sent & {*ids}

    def progress(self) -> Mapping[int, float]:
        """Return how far it is."""
        return {0: self._progress}


def events(*times: float) -> deque[Event]:
    """Return events that were received then."""
    return deque(Event("call", "sales", {"id": when}, received_at=when) for when in times)


def test_what_was_sent_is_forgotten() -> None:
    """The others stay, in order."""
    waiting = events(1, 2, 3)
    second = waiting[1]
    standby = Standby(Other({second.id}, 0), lambda event: True, lambda: None)

    standby.look({0: waiting})

    assert [1, 3] == [event.data["id"] for event in waiting]
    assert standby.forgotten == 1


def test_what_its_sender_has_passed_is_sent() -> None:
    """What it cannot have is sent from here, but for the last seconds."""
    sent: list[float] = []
    told: list[int] = []
    waiting = events(100, 101, 108)

    def note(event: Event) -> bool:
        sent.append(event.data["id"])
        return True

    standby = Standby(
        Other(set(), 110),
        note,
        lambda: told.append(len(sent)),
    )

    standby.look({0: waiting})

    assert [100, 101] == sent
    assert [1, 2] == told
    assert [108] == [event.data["id"] for event in waiting]


def test_what_the_broker_does_not_take_stays() -> None:
    """A broker that is away stops it at once."""
    waiting = events(1, 2)
    tried: list[Event] = []

    def fail(event: Event) -> bool:
        tried.append(event)
        return False

    standby = Standby(Other(set(), 100), fail, lambda: None)

    standby.look({0: waiting})

    assert len(tried) == 1
    assert len(waiting) == 2


def test_it_does_not_look_all_the_time() -> None:
    """Two looks are half a second apart."""
    waiting = events(1)
    standby = Standby(Other({waiting[0].id}, 0), lambda event: True, lambda: None)
    standby.look({})

    standby.look({0: waiting})

    assert len(waiting) == 1


def test_alone_there_is_nothing_to_look_at() -> None:
    """A forwarder that is the only one has all shards, and nobody's progress."""
    waiting = events(1)
    standby = Standby(Alone(), lambda event: True, lambda: None)

    standby.look({0: waiting})

    assert len(waiting) == 1
    assert Alone().progress() == {}
