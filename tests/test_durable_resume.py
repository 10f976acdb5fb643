"""A process that was down knows since when, and catches up from the server's history."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from evolution_ws import Client
from evolution_ws._backfill import Backfill
from evolution_ws._holding import Holding
from evolution_ws._seen import SeenMessages
from evolution_ws.inbox import inspect
from evolution_ws.testing import FakeEvolutionServer, build
from tests.core_tools import make_client
from tests.durable_tools import received
from tests.helpers import wait_until


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the path of a file that does not exist yet."""
    return str(tmp_path / "inbox.db")


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Return a started server that wants a key, with the instance ``sales``."""
    with FakeEvolutionServer(instances=("sales",), api_key="invented") as started:
        yield started


def client_of(server: FakeEvolutionServer, path: str, **options: Any) -> Client:
    """Return a client with a durable inbox that reads the history."""
    options = {"backfill": True, "api_key": server.api_key, "durable": path, **options}
    return make_client(server.url, **options)


def emit(server: FakeEvolutionServer, *numbers: int) -> None:
    """Emit numbered messages, which the server stores."""
    for number in numbers:
        server.emit(build.text(str(number), instance="sales"))


def caught_up(client: Client) -> tuple[list[tuple[int, bool]], list[bool | None]]:
    """Return the messages that come until a gap was reported, and whether it is complete."""
    gaps: list[bool | None] = []
    client.on("gap", callback=lambda event: gaps.append(event.complete))
    with client:
        wait_until(lambda: gaps)
        found = [(int(event.message.text), event.replayed) for event in client.events(timeout=0.3)]
    return found, gaps


def test_what_was_missed_between_two_runs(server: FakeEvolutionServer, path: str) -> None:
    """It comes from the history, without since, and nothing of what was there before."""
    with client_of(server, path) as client:
        emit(server, *range(5))
        assert len(list(client.events(limit=5))) == 5
    emit(server, *range(5, 10))

    found, gaps = caught_up(client_of(server, path))

    # Within a second the server's history has no order of its own.
    assert sorted(found) == [(number, True) for number in range(5, 10)]
    assert gaps == [True]


def test_what_is_not_done_comes_before_what_was_missed(
    server: FakeEvolutionServer, path: str
) -> None:
    """First the disk, then the history, each message once."""
    with client_of(server, path) as client:
        emit(server, *range(3))
        received(client, 3)
    emit(server, 3, 4)
    second = client_of(server, path)

    found, _ = caught_up(second)

    assert found[:3] == [(0, False), (1, False), (2, False)]
    assert sorted(found[3:]) == [(3, True), (4, True)]
    assert second.stats.replayed == 2


def test_a_replayed_message_is_not_replayed_again(server: FakeEvolutionServer, path: str) -> None:
    """What came from the history is remembered as well."""
    client_of(server, path).connect().close()
    emit(server, 1)
    first, _ = caught_up(client_of(server, path))
    second, _ = caught_up(client_of(server, path))

    assert (first, second) == ([(1, True)], [])


def test_the_first_run_fetches_nothing(server: FakeEvolutionServer, path: str) -> None:
    """Before it nothing was wanted, and later runs do not want it either."""
    emit(server, 1)
    with client_of(server, path) as client:
        assert list(client.events(timeout=0.2)) == []
    emit(server, 2)

    found, _ = caught_up(client_of(server, path))

    assert 2 in [number for number, _ in found]
    begin = inspect(path).origin
    assert begin is not None
    assert begin <= inspect(path).covered["sales"]


def test_a_failing_history_is_asked_again_by_the_next_run(
    server: FakeEvolutionServer, path: str
) -> None:
    """What could not be fetched is not taken for received."""
    client_of(server, path).connect().close()
    emit(server, 1)
    server.rest_fails(403)
    found, gaps = caught_up(client_of(server, path))
    assert (found, gaps) == ([], [False])
    server.rest_fails(None)

    found, gaps = caught_up(client_of(server, path))

    assert (found, gaps) == ([(1, True)], [True])


def test_without_a_history_the_gap_is_reported(server: FakeEvolutionServer, path: str) -> None:
    """A run that must not ask the history says that messages may be missing."""
    options = {"backfill": False}
    client_of(server, path, **options).connect().close()
    emit(server, 1)

    assert caught_up(client_of(server, path, **options)) == ([], [False])


def test_coverage_moves_on_while_nothing_happens(path: str) -> None:
    """Pings tell that nothing was missed; the file knows within seconds."""
    with (
        FakeEvolutionServer(instances=("sales",), ping_interval=0.1) as server,
        client_of(server, path) as client,
    ):
        emit(server, 1)
        received(client, 1)
        wait_until(lambda: inspect(path).covered)
        first = inspect(path).covered["sales"]
        emit(server, 2)

        wait_until(lambda: inspect(path).covered["sales"] > first)


# What a backfill makes of what an earlier run knew


def backfill(*names: str, since: float | None = None) -> Backfill:
    """Return a backfill that is not used for fetching."""

    def ignore(*_: object) -> bool:
        return True

    holding = Holding(ignore, 1_000)
    return Backfill(
        names or None,
        since,
        None,
        SeenMessages(),
        holding,
        ignore,
        ignore,
        ignore,
        "evolution-ws-t",
    )


NOW = time.time()


@pytest.mark.parametrize(
    ("names", "since", "covered", "expected"),
    [
        (("a",), None, {"a": NOW - 50}, (NOW - 100, {"a": NOW - 50})),
        (("a",), None, {}, (NOW - 100, {"a": NOW - 100})),
        (("a",), NOW - 70, {"a": NOW - 50}, (NOW - 100, {"a": NOW - 50})),
        (("a",), NOW - 200, {"a": NOW - 50}, (NOW - 200, {"a": NOW - 200})),
        (("a", "b"), None, {"*": NOW - 50}, (NOW - 100, {"a": NOW - 50, "b": NOW - 50})),
        ((), None, {"a": NOW - 50, "b": NOW - 60}, (NOW - 100, {"*": NOW - 60})),
        ((), None, {"*": NOW - 10, "b": NOW - 60}, (NOW - 100, {"*": NOW - 10})),
    ],
    ids=[
        "known",
        "killed at once",
        "since is known",
        "since is older",
        "from all",
        "to all",
        "all",
    ],
)
def test_where_a_run_goes_on(
    names: tuple[str, ...],
    since: float | None,
    covered: dict[str, float],
    expected: tuple[float, dict[str, float]],
) -> None:
    """At the end of the earlier one, unless the user wants what is older than its beginning."""
    found = backfill(*names, since=since)
    found.resume(covered, NOW - 100)
    found.started()

    assert found.coverage(None, False) == expected


def test_a_new_instance_and_a_wrong_clock() -> None:
    """Nothing was missed of an instance that is new; nothing is covered in the future."""
    found = backfill("a", "b")
    found.resume({"a": NOW + 10_000}, NOW - 100)

    _, until = found.coverage(None, False)

    assert all(NOW <= when <= time.time() for when in until.values())


def test_coverage_of_a_connection() -> None:
    """Instances that are joined are covered up to what the connection is sure of."""
    found = backfill("a", "b")
    found.started()
    found.opened(["a"], True)
    later = time.time() + 5

    _, joined = found.coverage(later, False)
    _, everything = found.coverage(later, True)
    found.windows._owed.add("a")
    _, owed = found.coverage(later, False)
    found.windows._owed.clear()
    found._holding.hold(["a"])
    _, held = found.coverage(later, False)

    assert (joined["a"], joined["b"] < later) == (later, True)
    assert everything == {"a": later, "b": later}
    assert owed["a"] < later
    assert held["a"] < later


def test_since_still_counts_for_a_first_run(server: FakeEvolutionServer, path: str) -> None:
    """A new file begins where the user says."""
    emit(server, 1)
    since = datetime.now(timezone.utc) - timedelta(minutes=5)

    found, gaps = caught_up(client_of(server, path, since=since))

    assert (found, gaps) == ([(1, True)], [True])
