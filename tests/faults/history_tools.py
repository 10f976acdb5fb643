"""Messages for a server's history."""

from __future__ import annotations

import time
from typing import Any


def message(key_id: str, ago: float = 0.0) -> dict[str, Any]:
    """Return the data of a text message of *ago* seconds before now."""
    return {
        "key": {"remoteJid": "5511900000000@s.whatsapp.net", "fromMe": False, "id": key_id},
        "pushName": "Ana",
        "message": {"conversation": f"message {key_id}"},
        "messageType": "conversation",
        "messageTimestamp": int(time.time() - ago),
    }


def ids(events: list[Any]) -> list[str]:
    """Return the ids of message events."""
    return [event.data["key"]["id"] for event in events]
