"""Names of events in every spelling."""

from __future__ import annotations

import pickle

import pytest

from evolution_ws.event_types import (
    GLOBAL_ONLY,
    EventType,
    config_name,
    event_type,
    is_known,
    nearest,
    selectable,
)

from .samples import NAMES, load_event, load_rest


SPELLINGS = [
    "messages.upsert",
    "MESSAGES_UPSERT",
    "messages-upsert",
    "Messages_Upsert",
    " messages.upsert ",
    EventType.MESSAGES_UPSERT,
]


@pytest.mark.parametrize("name", SPELLINGS)
def test_spelling(name: str) -> None:
    """Every spelling people use gives the name on the wire."""
    assert event_type(name) == "messages.upsert"
    assert type(event_type(name)) is str
    assert EventType.parse(name) is EventType.MESSAGES_UPSERT
    assert is_known(name)


@pytest.mark.parametrize("member", EventType)
def test_every_name(member: EventType) -> None:
    """Wire name, settings name and member lead to one another."""
    assert event_type(config_name(member)) == member.value
    assert event_type(member.value) == member.value
    assert EventType.parse(config_name(member)) is member
    assert (str(member), f"{member}") == (member.value, member.value)
    assert member == member.value
    assert pickle.loads(pickle.dumps(member)) is member


CONFIG_NAMES = [
    pytest.param("messages.upsert", "MESSAGES_UPSERT", id="dot"),
    pytest.param("group-participants.update", "GROUP_PARTICIPANTS_UPDATE", id="dash"),
    pytest.param("typebot.change-status", "TYPEBOT_CHANGE_STATUS", id="both"),
    pytest.param("groups.update", "GROUP_UPDATE", id="misfit"),
    pytest.param("GROUPS_UPDATE", "GROUP_UPDATE", id="misfit-as-derived"),
    pytest.param("new.jwt", "NEW_JWT_TOKEN", id="misfit-of-1.8"),
    pytest.param("my.event", "MY_EVENT", id="unknown"),
]


@pytest.mark.parametrize(("wire", "listed"), CONFIG_NAMES)
def test_config_name(wire: str, listed: str) -> None:
    """The settings' name follows the server's rule, but for its own slips."""
    assert config_name(wire) == listed


@pytest.mark.parametrize("name", ["GROUP_UPDATE", "GROUPS_UPDATE", "groups.update"])
def test_groups_update(name: str) -> None:
    """Both of the server's names for a changed group mean the one that only global mode brings."""
    assert event_type(name) in GLOBAL_ONLY


def test_unknown_name() -> None:
    """A name that no server knows comes back as it is."""
    assert event_type(" My.Event ") == "My.Event"
    assert not is_known("My.Event")
    assert not is_known("")


MISTYPED = [
    pytest.param("message.upsert", "messages.upsert", id="singular"),
    pytest.param("MESAGES_UPSERT", "messages.upsert", id="letter"),
    pytest.param("conection.update", "connection.update", id="connection"),
    pytest.param("qrcode", "qrcode.updated", id="half"),
    pytest.param("zzz", None, id="nothing-like-it"),
]


@pytest.mark.parametrize(("name", "suggested"), MISTYPED)
def test_nearest(name: str, suggested: str | None) -> None:
    """A mistyped name suggests the nearest one."""
    assert nearest(name) == suggested


def test_parse_refuses() -> None:
    """Parsing a mistyped name says which may be meant."""
    with pytest.raises(ValueError, match=r"'message.upsert'; did you mean 'messages.upsert'\?"):
        EventType.parse("message.upsert")
    with pytest.raises(ValueError, match=r"'zzz'$"):
        EventType.parse("zzz")


VERSIONS = [
    pytest.param("1.8.6", 26, {"NEW_JWT_TOKEN", "CHAMA_AI_ACTION"}, {"INSTANCE_CREATE"}, id="1.8"),
    pytest.param("2.2.3", 27, {"MESSAGES_EDITED"}, {"STATUS_INSTANCE", "NEW_JWT_TOKEN"}, id="2.2"),
    pytest.param("2.3.7", 31, {"GROUP_UPDATE"}, {"GROUPS_UPDATE", "CREDS_UPDATE"}, id="2.3"),
    pytest.param("2.4.0-rc2", 32, {"MESSAGING_HISTORY_SET"}, {"CHAMA_AI_ACTION"}, id="2.4"),
    pytest.param("", 31, {"SEND_MESSAGE_UPDATE"}, {"MESSAGING_HISTORY_SET"}, id="unknown"),
]


@pytest.mark.parametrize(("version", "count", "listed", "missing"), VERSIONS)
def test_selectable(version: str, count: int, listed: set[str], missing: set[str]) -> None:
    """Each generation of servers accepts its own list of names."""
    names = selectable(version)

    assert len(names) == count
    assert listed <= set(names)
    assert not missing & set(names)
    assert list(names) == sorted(names)


def test_selectable_is_the_servers_list() -> None:
    """The default list is the one that a server names when it refuses another."""
    refusal = load_rest("websocket-set-bad-event")["response"]["message"][0][0]

    assert set(selectable()) == set(refusal.split(": ")[1].split(","))


def test_names_of_samples() -> None:
    """Every recorded event is known."""
    assert [name for name in NAMES if not is_known(load_event(name).type)] == []
