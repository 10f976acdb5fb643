"""Events about groups."""

from __future__ import annotations

from .samples import ANA, BRUNO, data_event


def test_members_that_are_nonsense() -> None:
    """Members without a jid are left out."""
    data = {"participants": [None, {"id": ""}, {"id": BRUNO, "admin": "admin"}, ANA]}
    event = data_event("group-participants.update", data)

    assert event.participants == [BRUNO, ANA]
    assert event.members[0].admin == "admin"
