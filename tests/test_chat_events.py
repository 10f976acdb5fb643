"""Events about chats and people."""

from __future__ import annotations

from .samples import ANA, GROUP, data_event, utc


def test_chat_renamed() -> None:
    """A chat named by its database id alone has a name and no jid."""
    event = data_event("chats.upsert", [{"id": "cm1", "name": "Novo"}, 5])

    assert [(chat.jid, chat.name) for chat in event.chats] == [(None, "Novo")]


def test_chat_with_lid() -> None:
    """A chat keeps its phone jid when the server tells the LID beside it."""
    event = data_event("chats.set", [{"remoteJid": ANA, "remoteLid": "1@lid"}])

    assert [chat.jid for chat in event.chats] == [ANA]


def test_contact_of_version_1() -> None:
    """Version 1.8 has other names for jid and picture."""
    contact = {"id": ANA, "pushName": "", "profilePictureUrl": "https://x.test/p.jpg"}
    event = data_event("contacts.update", contact)

    [found] = event.contacts
    assert (found.jid, found.name, found.picture_url) == (ANA, None, "https://x.test/p.jpg")


def test_presence_with_nonsense() -> None:
    """Presences that name nobody are left out, and a last visit is a moment in UTC."""
    seen = {"lastKnownPresence": "unavailable", "lastSeen": 1764950400}
    event = data_event("presence.update", {"id": ANA, "presences": {ANA: seen, "@lid": seen}})

    assert list(event.presences) == [ANA]
    assert event.presences[ANA].last_seen == utc(2025, 12, 5, 16)


def test_raw_call_answer() -> None:
    """WhatsApp's answer to a call node has no child; video calls and groups show."""
    ack = {"tag": "ack", "attrs": {"class": "call", "type": "offer", "from": ANA, "call-id": "C1"}}
    event = data_event("call", {"event": "CB:ack,class:call", "packet": ack})
    offer = {"tag": "offer", "attrs": {"group-jid": GROUP}, "content": [{"tag": "video"}]}
    group = data_event("call", {"event": "CB:call", "packet": {"content": [offer]}})

    assert (event.status, event.call_id, event.caller) == ("offer", "C1", ANA)
    assert (event.is_video, event.is_group, event.at) == (False, False, None)
    assert (group.is_video, group.is_group, group.caller) == (True, True, None)
