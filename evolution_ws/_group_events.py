"""Events about groups."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from ._event import Event
from ._identity import find_person, to_jid
from ._wire import as_dict, as_list, dicts, find_text, to_int, to_text, to_time


__all__ = ["Group", "GroupParticipantsEvent", "GroupsEvent", "Participant"]


@attrs.frozen
class Participant:
    """A member of a group."""

    jid: str = attrs.field(repr=False)
    """The phone jid wherever it is known, else the LID."""
    phone: str | None = attrs.field(repr=False)
    lid: str | None
    admin: str | None
    """``"admin"``, ``"superadmin"`` for the founder, None for everybody else."""


@attrs.frozen
class Group:
    """A group, or what changed in it: everything but the jid may be None."""

    jid: str | None = attrs.field(repr=False)
    subject: str | None = attrs.field(repr=False)
    """The group's name."""
    description: str | None = attrs.field(repr=False)
    owner: str | None = attrs.field(repr=False)
    """Jid of the founder."""
    size: int | None
    """Number of members."""
    announce: bool | None
    """Whether only admins may write."""
    restrict: bool | None
    """Whether only admins may change name and picture."""
    created_at: datetime | None
    participants: tuple[Participant, ...] = attrs.field(repr=False)
    """The members; empty when the event does not list them."""
    author: str | None = attrs.field(repr=False)
    """Jid of who made or changed it."""


class GroupsEvent(Event, types=("groups.update", "groups.upsert")):
    """Groups are new, or something about them changed."""

    @property
    def groups(self) -> list[Group]:
        """The groups; after a change with what changed alone."""
        return [_group(item) for item in dicts(self.data)]


class GroupParticipantsEvent(Event, types=("group-participants.update",)):
    """Members of a group came, went or changed their rank."""

    @property
    def group(self) -> str | None:
        """Jid of the group."""
        return to_jid(as_dict(self.data).get("id"))

    @property
    def action(self) -> str | None:
        """``add``, ``remove``, ``promote``, ``demote`` or ``modify``."""
        return to_text(as_dict(self.data).get("action"))

    @property
    def author(self) -> str | None:
        """Jid of who did it: the phone jid wherever it is known, else the LID."""
        return find_person(*_named(as_dict(self.data), "author")).jid

    @property
    def participants(self) -> list[str]:
        """Jids of those concerned: the phone jid wherever it is known, else the LID."""
        return [member.jid for member in self.members]

    @property
    def members(self) -> list[Participant]:
        """Those concerned, with all that the server tells about them."""
        data = as_dict(self.data)
        # Beside plain jids newer servers list the numbers; beside dicts the list is broken.
        numbers = {
            item["jid"]: item.get("phoneNumber")
            for item in dicts(data.get("participantsData"))
            if isinstance(item.get("jid"), str)
        }
        return _participants(data.get("participants"), numbers)


def _group(item: dict[str, Any]) -> Group:
    return Group(
        jid=to_jid(item.get("id")),
        subject=to_text(item.get("subject")),
        description=find_text(item, ("desc",), ("description",)),
        owner=find_person(*_named(item, "owner")).jid,
        size=to_int(item.get("size")),
        announce=_flag(item.get("announce")),
        restrict=_flag(item.get("restrict")),
        created_at=to_time(item.get("creation")),
        participants=tuple(_participants(item.get("participants"), {})),
        author=find_person(*_named(item, "author")).jid,
    )


def _named(item: dict[str, Any], name: str) -> tuple[Any, Any]:
    return item.get(name), item.get(f"{name}Pn")


def _participants(items: object, numbers: dict[str, Any]) -> list[Participant]:
    found = []
    for item in as_list(items):
        told = {"id": item, "phoneNumber": numbers.get(item)} if isinstance(item, str) else item
        known = as_dict(told)
        person = find_person(*(known.get(name) for name in ("id", "phoneNumber", "lid", "jid")))
        if person.jid is not None:
            admin = to_text(known.get("admin"))
            found.append(Participant(person.jid, person.phone, person.lid, admin))
    return found


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
