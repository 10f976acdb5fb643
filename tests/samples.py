"""The recorded payloads of tests/data as the client gets them, and tools to look at them."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from evolution_ws.events import parse_event
from evolution_ws.messages import Message


# People and places in the samples.
ANA = "5511980000101@s.whatsapp.net"
BRUNO = "5511980000102@s.whatsapp.net"
CARLA = "5521970000103@s.whatsapp.net"
CARLA_LID = "100000000000103@lid"
JOE = "12025550107@s.whatsapp.net"
TOM = "447700900106@s.whatsapp.net"
LOJA = "5511990000001@s.whatsapp.net"
BOT = "5511990000006@s.whatsapp.net"
GROUP = "120363000000000777@g.us"

DATA = Path(__file__).parent / "data"

NAMES = sorted(path.stem for path in DATA.glob("*.json") if not path.name.startswith("_"))


def load(name: str) -> dict[str, Any]:
    """Return the envelope of a sample, with bytes as bytes."""
    text = (DATA / f"{name}.json").read_text(encoding="utf-8")
    envelope: dict[str, Any] = json.loads(text, object_hook=_with_bytes)
    return envelope


def load_event(name: str) -> Any:
    """Return a sample as an event that came in on its instance's namespace."""
    envelope = load(name)
    namespace = f"/{envelope['instance']}"
    return parse_event(envelope["event"], envelope, namespace=namespace, received_at=1764950000.5)


def load_rest(name: str) -> Any:
    """Return the body of a REST answer."""
    return json.loads((DATA / "rest" / f"{name}.json").read_text(encoding="utf-8"))["response"]


def follow(found: Any, path: str) -> Any:
    """Return what stands at a dotted *path* of attributes, indexes and keys."""
    for name in path.split("."):
        if isinstance(found, dict):
            found = found[name]
        elif name.isdigit():
            found = found[int(name)]
        else:
            found = getattr(found, name)
    return found() if path.endswith("__len__") else found


def utc(year: int, month: int, day: int, *clock: int) -> datetime:
    """Return a moment in UTC."""
    hour, minute, second = (*clock, 0, 0, 0)[:3]
    return datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)


def message(content: object, **more: object) -> Message:
    """Return a message with that content."""
    key = {"remoteJid": ANA, "fromMe": False, "id": "3EB0"}
    return Message({"key": key, "message": content, **more})


def data_event(name: str, data: object) -> Any:
    """Return an event with that data."""
    return parse_event(name, {"data": data}, namespace="/evo1")


def _with_bytes(item: dict[str, Any]) -> Any:
    return base64.b64decode(item["$bytes"]) if set(item) == {"$bytes"} else item
