"""Events about messages."""

from __future__ import annotations

import pytest

from evolution_ws.events import parse_event

from .samples import BRUNO, GROUP, data_event


def test_message_event_of_a_list() -> None:
    """A list where one message is expected gives its first."""
    item = {"key": {"id": "3EB0"}, "message": {"conversation": "oi"}}

    assert data_event("messages.upsert", [item]).message.text == "oi"
    assert data_event("messages.upsert", []).message.text is None


@pytest.mark.parametrize("told", ["REVOKE", 0])
def test_revoke(told: object) -> None:
    """A deletion reported as an edit is recognised in both spellings."""
    event = data_event("messages.edited", {"key": {"id": "3EB0"}, "type": told})

    assert (event.is_revoke, event.is_edit, event.text) == (True, False, None)


def test_progress_in_odd_types() -> None:
    """Progress is a number where it can be read as one, and absent where it cannot."""
    event = parse_event("messages.set", {"isLatest": "yes", "progress": None, "data": []})

    assert (event.is_latest, event.progress) == (None, None)  # type: ignore[attr-defined]


def test_update_of_version_1() -> None:
    """Version 1.8 writes the key itself; devices are cut off participants."""
    data = {"id": "3EB0", "remoteJid": GROUP, "fromMe": False, "status": 4}
    event = data_event(
        "messages.update", {**data, "participant": "5511980000102:16@s.whatsapp.net"}
    )

    assert (event.message_id, event.chat, event.participant) == ("3EB0", GROUP, BRUNO)
    assert event.status == "READ"


def test_participant_of_deletion() -> None:
    """The participant of a deletion is found beside the key too."""
    key = {"id": "3EB0", "remoteJid": GROUP}

    assert data_event("messages.delete", {"key": key, "participant": BRUNO}).participant == BRUNO
