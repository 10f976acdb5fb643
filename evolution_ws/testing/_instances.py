"""The instances of an embedded server and their websocket settings."""

from __future__ import annotations

import itertools
import re
import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime, timezone

from attrs import define, field


EVENTS = [
    "APPLICATION_STARTUP",
    "QRCODE_UPDATED",
    "MESSAGES_SET",
    "MESSAGES_UPSERT",
    "MESSAGES_EDITED",
    "MESSAGES_UPDATE",
    "MESSAGES_DELETE",
    "SEND_MESSAGE",
    "SEND_MESSAGE_UPDATE",
    "CONTACTS_SET",
    "CONTACTS_UPSERT",
    "CONTACTS_UPDATE",
    "PRESENCE_UPDATE",
    "CHATS_SET",
    "CHATS_UPSERT",
    "CHATS_UPDATE",
    "CHATS_DELETE",
    "GROUPS_UPSERT",
    "GROUP_UPDATE",
    "GROUP_PARTICIPANTS_UPDATE",
    "CONNECTION_UPDATE",
    "LABELS_EDIT",
    "LABELS_ASSOCIATION",
    "CALL",
    "TYPEBOT_START",
    "TYPEBOT_CHANGE_STATUS",
    "REMOVE_INSTANCE",
    "LOGOUT_INSTANCE",
    "INSTANCE_CREATE",
    "INSTANCE_DELETE",
    "STATUS_INSTANCE",
]
"""Names that a websocket setting may list, in the server's order (GROUP_UPDATE is its slip)."""

_NOT_IN_V1 = {
    "MESSAGES_EDITED",
    "SEND_MESSAGE_UPDATE",
    "REMOVE_INSTANCE",
    "LOGOUT_INSTANCE",
    "INSTANCE_CREATE",
    "INSTANCE_DELETE",
    "STATUS_INSTANCE",
}
V1_EVENTS = [*(name for name in EVENTS if name not in _NOT_IN_V1)]
V1_EVENTS += ["NEW_JWT_TOKEN", "CHAMA_AI_ACTION"]
"""The same of version 1.8."""

_numbers = itertools.count(1)


def now_iso() -> str:
    """Return the time as JavaScript writes a date, in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def row_id() -> str:
    """Return an id as the server's database makes them."""
    return "c" + secrets.token_hex(12)


def setting_name(event: str) -> str:
    """Return the name by which settings know *event*: ``MESSAGES_UPSERT``."""
    return re.sub(r"[.-]", "_", event).upper()


@define
class WebsocketSetting:
    """Which events of an instance go to its namespace."""

    enabled: bool = True
    events: list[str] = field(factory=lambda: list(EVENTS))
    id: str = field(factory=row_id)
    created_at: str = field(factory=now_iso)
    updated_at: str = field(factory=now_iso)

    def selects(self, event: str) -> bool:
        """Whether *event* (its name on the wire) passes."""
        return self.enabled and setting_name(event) in self.events


@define
class Instance:
    """One WhatsApp account of an embedded server; change it freely."""

    name: str
    token: str = field(factory=lambda: secrets.token_hex(16).upper(), repr=False)
    """Key of this instance alone (the ``hash`` of ``/instance/create``)."""

    id: str = field(factory=lambda: str(uuid.uuid4()))
    state: str = "open"
    """``open``, ``connecting`` or ``close``."""

    owner: str | None = field(
        factory=lambda: f"551199000{next(_numbers):04d}@s.whatsapp.net", repr=False
    )
    """Own jid, the ``sender`` of its events; None leaves it out as before the first login."""

    integration: str = "WHATSAPP-BAILEYS"
    number: str | None = field(default=None, repr=False)
    websocket: WebsocketSetting | None = field(factory=WebsocketSetting)
    """None when it was never set."""

    created_at: str = field(factory=now_iso)

    def selects(self, event: str) -> bool:
        """Whether *event* goes to the instance's namespace."""
        return self.websocket is not None and self.websocket.selects(event)

    def websocket_row(self) -> dict[str, object] | None:
        """Return the websocket setting as the database shows it."""
        if self.websocket is None:
            return None
        return {
            "id": self.websocket.id,
            "enabled": self.websocket.enabled,
            "events": self.websocket.events,
            "createdAt": self.websocket.created_at,
            "updatedAt": self.websocket.updated_at,
            "instanceId": self.id,
        }

    def set_websocket(self, enabled: bool, events: Iterable[str]) -> None:
        """Replace the websocket setting; it counts from the next event on."""
        if self.websocket is None:
            self.websocket = WebsocketSetting()
        self.websocket.enabled = enabled
        self.websocket.events = list(events)
        self.websocket.updated_at = now_iso()


def declare(instances: str | Iterable[str]) -> dict[str, Instance]:
    """Return fresh instances by name."""
    names = [instances] if isinstance(instances, str) else instances
    return {name: Instance(name) for name in names}
