"""When a namespace is asked for, and what the answers mean; times are plain numbers."""

from __future__ import annotations

import pytest

from evolution_ws import NamespaceState
from evolution_ws._joins import INVALID_NAMESPACE, Joins


ASKED, JOINED, PENDING = NamespaceState.ASKED, NamespaceState.JOINED, NamespaceState.PENDING
LEFT = NamespaceState.LEFT


def make() -> Joins:
    """Return joins of two namespaces, each asked for at 0."""
    joins = Joins(["/", "/a"], patience=10)
    for name in joins.due(0):
        joins.asked(name, 0)
    return joins


def test_every_namespace_is_due_at_first() -> None:
    """A new connection asks for all of them, in their order."""
    joins = Joins(["/", "/b", "/a"], patience=10)

    assert (joins.due(0), joins.next_due()) == (["/", "/b", "/a"], 0)
    assert joins.snapshot() == {"/": LEFT, "/b": LEFT, "/a": LEFT}
    assert not joins.is_settled()


def test_what_was_asked_is_not_due_again() -> None:
    """A second CONNECT would make the server cut the connection."""
    joins = make()

    assert (joins.due(1000), joins.next_due()) == ([], None)
    assert joins.snapshot() == {"/": ASKED, "/a": ASKED}
    assert not joins.is_settled()


def test_a_consent_makes_a_namespace_joined() -> None:
    """Its events arrive, now and in this client's memory."""
    joins = make()

    assert joins.joined("/a")

    assert (joins.is_joined("/a"), joins.was_joined("/a")) == (True, True)
    assert (joins.is_joined("/"), joins.was_joined("/")) == (False, False)
    assert not joins.is_settled()
    joins.joined("/")
    assert joins.is_settled()


@pytest.mark.parametrize("name", ["/stranger", "/a"], ids=["stranger", "twice"])
def test_a_consent_that_nobody_asked_for_is_ignored(name: str) -> None:
    """A hostile server cannot make namespaces up."""
    joins = make()
    joins.joined("/a")

    assert not joins.joined(name)
    assert set(joins.snapshot()) == {"/", "/a"}


def test_an_unknown_namespace_is_pending_and_asked_for_again() -> None:
    """It comes into being with the instance's first event."""
    joins = make()
    joins.joined("/")

    assert joins.refused("/a", INVALID_NAMESPACE, 100)

    assert joins.snapshot() == {"/": JOINED, "/a": PENDING}
    assert joins.is_settled()
    assert (joins.due(100.9), joins.next_due(), joins.due(101)) == ([], 101, ["/a"])


def test_a_pending_namespace_stays_pending_while_it_is_asked_for_again() -> None:
    """Its state does not flicker between two refusals."""
    joins = make()
    joins.refused("/a", INVALID_NAMESPACE, 0)

    joins.asked("/a", 1)

    assert joins.snapshot()["/a"] is PENDING
    assert not joins.refused("/a", INVALID_NAMESPACE, 1)


def test_the_pauses_between_refusals_grow_to_a_limit() -> None:
    """A second at first, fifteen at last."""
    joins = make()
    pauses = []

    for _ in range(9):
        joins.refused("/a", INVALID_NAMESPACE, 0)
        pauses.append(joins.next_due())

    assert pauses[:4] == [1.0, 1.5, 2.25, 3.375]
    assert pauses[-2:] == [15.0, 15.0]


def test_a_consent_makes_the_pauses_short_again() -> None:
    """The next refusal is the first one of a new row."""
    joins = make()
    for _ in range(5):
        joins.refused("/a", INVALID_NAMESPACE, 0)
    joins.asked("/a", 50)
    joins.joined("/a")
    joins.left("/a", 60)

    assert joins.refused("/a", INVALID_NAMESPACE, 100)
    assert joins.next_due() == 101


def test_another_refusal_shows_the_words_of_the_server() -> None:
    """Whatever the reason, it is asked again; each new reason is news."""
    joins = make()

    assert joins.refused("/a", "Not today", 0)
    assert not joins.refused("/a", "Not today", 1)
    assert joins.refused("/a", "Never", 2)

    assert joins.snapshot()["/a"] == "Never"
    assert joins.next_due() is not None


def test_a_refusal_of_a_stranger_is_ignored() -> None:
    """Nothing is asked for that this client does not want."""
    joins = make()

    assert not joins.refused("/stranger", "no", 0)
    joins.left("/stranger", 0)

    assert set(joins.snapshot()) == {"/", "/a"}
    assert not joins.is_joined("/stranger")


def test_a_namespace_that_the_server_ended_is_asked_for_soon() -> None:
    """A kick is repaired on the same connection."""
    joins = make()
    joins.joined("/a")

    joins.left("/a", 100)

    assert (joins.snapshot()["/a"], joins.is_joined("/a")) == (LEFT, False)
    assert joins.was_joined("/a")
    assert (joins.due(100.4), joins.due(100.5)) == ([], ["/a"])


def test_a_namespace_that_was_left_on_purpose_is_not_asked_for() -> None:
    """It does not count as an open end."""
    joins = make()
    joins.joined("/a")
    joins.joined("/")

    joins.left("/", 100, again=False)

    assert (joins.due(10_000), joins.next_due()) == ([], None)
    assert joins.is_settled()
    assert (joins.is_dormant("/"), joins.is_dormant("/a")) == (True, False)


def test_an_answer_that_does_not_come_is_overdue() -> None:
    """A connection on which the server owes an answer has to be opened anew."""
    joins = make()
    joins.joined("/")

    assert joins.overdue(10) is None
    assert joins.overdue(10.1) == "/a"
    joins.refused("/a", INVALID_NAMESPACE, 10.1)
    assert joins.overdue(10_000) is None


def test_a_lost_connection_forgets_the_answers_but_not_the_past() -> None:
    """Everything is asked for again at once."""
    joins = make()
    joins.joined("/")
    for _ in range(5):
        joins.refused("/a", INVALID_NAMESPACE, 50)

    joins.reset()

    assert joins.due(0) == ["/", "/a"]
    assert joins.snapshot() == {"/": LEFT, "/a": LEFT}
    assert (joins.was_joined("/"), joins.overdue(10_000)) == (True, None)
    joins.refused("/a", INVALID_NAMESPACE, 60)
    assert joins.next_due() == 0
    joins.asked("/", 60)
    assert joins.next_due() == 61
