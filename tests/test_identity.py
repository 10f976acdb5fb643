"""Who wrote, and where, over all the ways in which servers tell it."""

from __future__ import annotations

from typing import Any

import pytest

from evolution_ws._identity import chat_of, find_person, is_group, to_jid, to_phone, writer_of


PHONE = "5511900000001"
JID = f"{PHONE}@s.whatsapp.net"
LID = "100000000000001@lid"
OWN = "5511900000000@s.whatsapp.net"
GROUP = "120363000000000001@g.us"

JIDS = [
    pytest.param(JID, JID, id="jid"),
    pytest.param(f"{PHONE}:16@s.whatsapp.net", JID, id="device"),
    pytest.param(f"{PHONE}@c.us", JID, id="old-domain"),
    pytest.param(PHONE, JID, id="bare-number"),
    pytest.param(f"+{PHONE}", JID, id="plus"),
    pytest.param("120363000000000001", GROUP, id="bare-group"),
    pytest.param("5511900000001-1500000000", "5511900000001-1500000000@g.us", id="old-group"),
    pytest.param("status@broadcast", "status@broadcast", id="broadcast"),
    pytest.param("customer", "customer", id="other-name"),
    pytest.param("٣٣٣", "٣٣٣", id="other-digits"),
    pytest.param("@lid", None, id="nobody"),
    pytest.param("1@", None, id="nowhere"),
    pytest.param("", None, id="empty"),
    pytest.param({"id": JID}, None, id="dict"),
    pytest.param(None, None, id="none"),
]


@pytest.mark.parametrize(("written", "meant"), JIDS)
def test_to_jid(written: object, meant: str | None) -> None:
    """Jids come without device and with domain, however they were written."""
    assert meant == to_jid(written)


@pytest.mark.parametrize("jid", [LID, GROUP, "abc@s.whatsapp.net", "٣@s.whatsapp.net", None])
def test_to_phone_of_no_phone(jid: str | None) -> None:
    """Only phone jids have a phone number."""
    assert to_phone(JID) == PHONE
    assert to_phone(jid) is None


def test_is_group() -> None:
    """Groups are known by their domain."""
    assert (is_group(GROUP), is_group(JID), is_group(None)) == (True, False, False)


# How servers address a direct chat, by version.
DIRECT = [
    pytest.param({"remoteJid": LID}, LID, None, LID, id="1.8-2.2"),
    pytest.param({"remoteJid": LID, "senderPn": JID}, JID, PHONE, LID, id="2.3.0"),
    pytest.param(
        {"remoteJid": JID, "senderPn": JID, "previousRemoteJid": LID}, JID, PHONE, LID, id="2.3.2"
    ),
    pytest.param({"remoteJid": JID, "remoteJidAlt": JID}, JID, PHONE, None, id="2.3.3-2.3.7"),
    pytest.param({"remoteJid": LID, "remoteJidAlt": JID}, JID, PHONE, LID, id="2.3.5"),
    pytest.param({"remoteJid": JID, "remoteJidAlt": LID}, JID, PHONE, LID, id="2.4.0"),
    pytest.param({"remoteJid": JID, "participant": ""}, JID, PHONE, None, id="empty-participant"),
    pytest.param({"remoteJid": PHONE}, JID, PHONE, None, id="evolution-channel"),
    pytest.param({}, None, None, None, id="nothing"),
]


@pytest.mark.parametrize(("key", "jid", "phone", "lid"), DIRECT)
def test_direct_chat(
    key: dict[str, Any], jid: str | None, phone: str | None, lid: str | None
) -> None:
    """In a direct chat the other person is chat and writer at once, by every version's key."""
    person = writer_of({**key, "fromMe": False})

    assert (person.jid, person.phone, person.lid) == (jid, phone, lid)
    assert chat_of({**key, "fromMe": False}) == jid


def test_direct_chat_from_me() -> None:
    """What the instance's owner wrote is theirs, in the chat of the other person."""
    key = {"remoteJid": LID, "remoteJidAlt": JID, "fromMe": True, "senderPn": OWN}

    assert chat_of(key) == JID
    assert chat_of({"remoteJid": LID, "senderPn": OWN, "fromMe": True}) == LID
    assert writer_of(key, OWN).jid == OWN
    assert writer_of(key).jid is None


GROUPS = [
    pytest.param({"participant": JID}, JID, PHONE, None, id="phone"),
    pytest.param({"participant": LID, "participantAlt": JID}, JID, PHONE, LID, id="lid"),
    pytest.param({"participant": JID, "participantAlt": LID}, JID, PHONE, LID, id="swapped"),
    pytest.param({"participant": LID}, LID, None, LID, id="lid-alone"),
    pytest.param({"participant": LID, "participantPn": JID}, JID, PHONE, LID, id="participant-pn"),
    pytest.param({"senderPn": JID}, JID, PHONE, None, id="sender-alone"),
    pytest.param({}, None, None, None, id="nobody"),
]


@pytest.mark.parametrize(("key", "jid", "phone", "lid"), GROUPS)
def test_group(key: dict[str, Any], jid: str | None, phone: str | None, lid: str | None) -> None:
    """In a group the participant wrote, never the group."""
    key = {"remoteJid": GROUP, **key}
    person = writer_of(key)

    assert (person.jid, person.phone, person.lid) == (jid, phone, lid)
    assert chat_of(key) == GROUP


def test_participant_beside_the_key() -> None:
    """Older servers tell the participant beside the key."""
    assert writer_of({"remoteJid": GROUP}, participant=JID).jid == JID


def test_group_from_me() -> None:
    """The owner's own LID in a group adds to their phone jid."""
    person = writer_of({"remoteJid": GROUP, "fromMe": True, "participant": LID}, OWN)

    assert (person.jid, person.lid) == (OWN, LID)


def test_other_addresses() -> None:
    """An address that is neither phone nor LID stands for itself."""
    assert find_person(None, "news@newsletter").jid == "news@newsletter"
    assert find_person().jid is None
