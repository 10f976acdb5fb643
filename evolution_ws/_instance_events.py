"""Events about an instance itself: its connection, its QR code, its bots."""

from __future__ import annotations

import io
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from ._event import Event
from ._identity import to_jid
from ._wire import as_dict, as_list, find_text, to_bytes, to_int, to_text, to_time
from .exceptions import ConfigError


__all__ = ["ConnectionEvent", "InstanceEvent", "QRCodeEvent", "TypebotEvent"]

_SECRET = re.compile(r"api_?key|token|secret|password|authorization", re.IGNORECASE)

# Settings nest two or three deep; the bound is for hostile ones.
_MAX_DEPTH = 20


class ConnectionEvent(Event, types=("connection.update",)):
    """
    The instance's connection to WhatsApp changed.

    ``close`` comes for final reasons only; after any other drop the server reconnects
    by itself and only ``connecting`` tells.
    """

    @property
    def state(self) -> str | None:
        """``connecting``, ``open``, ``close``, or ``refused`` when no code was scanned."""
        return to_text(as_dict(self.data).get("state"))

    @property
    def reason(self) -> int | None:
        """WhatsApp's status code: 200 when all is well, 401 when logged out."""
        return to_int(as_dict(self.data).get("statusReason"))

    @property
    def is_open(self) -> bool:
        """Whether messages can flow."""
        return self.state == "open"

    @property
    def jid(self) -> str | None:
        """The instance's own jid; told when the connection opens."""
        return to_jid(as_dict(self.data).get("wuid"))

    @property
    def profile_name(self) -> str | None:
        """Name of the account; told when the connection opens."""
        return to_text(as_dict(self.data).get("profileName"))

    @property
    def profile_picture_url(self) -> str | None:
        """Address of the account's picture; None when it has none."""
        return to_text(as_dict(self.data).get("profilePictureUrl"))


class QRCodeEvent(Event, types=("qrcode.updated",)):
    """
    A code to scan with the phone, so that the instance may use its account.

    Whoever scans it takes over the account: it is in no ``repr``. A notebook and
    IPython show it; elsewhere ``print(event.render())`` does.
    """

    @property
    def code(self) -> str | None:
        """What the QR code says. A secret; valid for less than a minute."""
        return to_text(self._qrcode.get("code"))

    @property
    def pairing_code(self) -> str | None:
        """The code to type instead, when the instance was given a phone number. A secret."""
        return to_text(self._qrcode.get("pairingCode"))

    @property
    def image(self) -> bytes | None:
        """The QR code as a PNG; None when the limit is reached."""
        return to_bytes(self._qrcode.get("base64")) or None

    @property
    def limit_reached(self) -> bool:
        """Whether nobody scanned in time: there will be no further code by itself."""
        data = as_dict(self.data)
        return "qrcode" not in data and to_int(data.get("statusCode")) is not None

    def save(self, path: str | Path) -> Path:
        """
        Write the QR code to *path* as a PNG and return where it went.

        Raises:
            ConfigError: There is no code in this event.
            OSError: The file cannot be written.
        """
        image = self.image
        if image is None:
            raise ConfigError(_NO_CODE)
        target = Path(path)
        target.write_bytes(image)
        return target

    def render(self) -> str:
        """
        Return the QR code drawn with characters, to be scanned off a terminal.

        Raises:
            ConfigError: There is no code in this event, or *segno*, which draws it, is
                not installed.
        """
        if self.code is None:
            raise ConfigError(_NO_CODE)
        try:
            import segno
        except ImportError:
            raise ConfigError("drawing a QR code needs segno: pip install segno") from None
        drawn = io.StringIO()
        code = segno.make(self.code, error="l", micro=False, boost_error=False)
        code.terminal(drawn, border=2, compact=True)
        return drawn.getvalue()

    def _repr_png_(self) -> bytes | None:
        return self.image

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # IPython's own hook for what it displays; repr() and logs never come here.
        printer.text(repr(self))
        try:
            printer.text("\n" + self.render())
        except ConfigError:
            return  # without a code or without segno the plain form has to do

    @property
    def _qrcode(self) -> dict[str, Any]:
        return as_dict(as_dict(self.data).get("qrcode"))


class InstanceEvent(
    Event,
    types=(
        "instance.create",
        "instance.delete",
        "logout.instance",
        "remove.instance",
        "status.instance",
    ),
):
    """An instance was created, deleted, logged out or closed."""

    @property
    def action(self) -> str:
        """``create``, ``delete``, ``logout``, ``remove`` or ``status``."""
        return self.type.replace("instance", "").strip(".")

    @property
    def name(self) -> str:
        """Name of the instance."""
        return find_text(self.data, ("instanceName",), ("instance",)) or self.instance

    @property
    def instance_id(self) -> str | None:
        """The server's id of the instance."""
        return to_text(as_dict(self.data).get("instanceId"))

    @property
    def status(self) -> str | None:
        """``closed``, on old servers also ``created``; None in other than status events."""
        return to_text(as_dict(self.data).get("status"))

    @property
    def reason(self) -> int | None:
        """WhatsApp's status code for a disconnection."""
        return to_int(as_dict(self.data).get("disconnectionReasonCode"))

    @property
    def at(self) -> datetime | None:
        """When it was disconnected, in UTC."""
        return to_time(as_dict(self.data).get("disconnectionAt"))


class TypebotEvent(Event, types=("typebot.change-status", "typebot.start")):
    """A Typebot conversation started, paused or ended."""

    @property
    def chat(self) -> str | None:
        """Jid of the chat."""
        return to_jid(as_dict(self.data).get("remoteJid"))

    @property
    def status(self) -> str | None:
        """``opened``, ``paused``, ``closed`` or ``delete``; None for a start."""
        return to_text(as_dict(self.data).get("status"))

    @property
    def typebot(self) -> str | None:
        """Public name of the bot; told for a start."""
        return to_text(as_dict(self.data).get("typebot"))

    @property
    def session_id(self) -> str | None:
        """The bot's name for the conversation."""
        return find_text(self.data, ("sessionId",), ("session", "sessionId"))

    @property
    def parameters(self) -> dict[str, Any]:
        """
        What the conversation was started with, secrets masked.

        Servers put their global api key in there; ``event.data`` still has it.
        """
        return as_dict(_masked(as_dict(as_dict(self.data).get("session")).get("parameters")))

    @property
    def variables(self) -> dict[str, Any]:
        """The bot's variables by name, secrets masked."""
        items = as_list(as_dict(self.data).get("variables"))
        named = {
            item["name"]: item.get("value")
            for item in items
            if isinstance(item, dict) and isinstance(item.get("name"), str)
        }
        return as_dict(_masked(named))


_NO_CODE = "this event carries no QR code: the limit is reached, ask the server to connect again"


def _masked(value: object, depth: int = 0) -> object:
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, dict):
        return {
            key: "***" if _SECRET.search(str(key)) else _masked(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_masked(item, depth + 1) for item in value]
    return value
