"""The ``/chat`` and ``/message`` routes of an embedded server."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Mapping

from ._history import History
from ._http import HttpAnswer
from ._instances import Instance
from ._options import Options
from ._problems import RestProblem


MEDIA_KINDS = ("image", "video", "audio", "document", "sticker", "ptv")


class ChatRoutes:
    """
    Find and send messages.

    Args:
        options: The server's options, its instances among them.
        history: The stored messages.
        emit: Sends an event of an instance.
    """

    def __init__(
        self,
        options: Options,
        history: History,
        emit: Callable[[Instance, str, object], None],
    ) -> None:
        self._options = options
        self._history = history
        self._emit = emit

    def find_messages(self, instance: Instance, body: Mapping[str, object]) -> HttpAnswer:
        """Return stored messages."""
        if self._options.v1:
            return HttpAnswer.json(200, self._history.find_v1(instance, body))
        return HttpAnswer.json(200, self._history.find(instance, body))

    def media(self, instance: Instance, body: Mapping[str, object]) -> HttpAnswer:
        """Return the content of a stored media message."""
        message = body.get("message")
        key = message.get("key") if isinstance(message, Mapping) else None
        row = self._history.by_key(instance, key.get("id") if isinstance(key, Mapping) else None)
        if row is None:
            raise RestProblem(400, ["Message not found"])
        kind, part = _media_part(row.data.get("message"))
        if part is None:
            raise RestProblem(400, ["The message is not of the media type"])
        key_id = str(row.key.get("id"))
        content = self._options.media.get(key_id, f"content of {key_id}".encode())
        answer = {
            "mediaType": kind,
            "fileName": part.get("fileName") or f"{key_id}.bin",
            "size": {
                "fileLength": str(len(content)),
                "height": part.get("height"),
                "width": part.get("width"),
            },
            "mimetype": part.get("mimetype") or "application/octet-stream",
            "base64": base64.b64encode(content).decode(),
            "buffer": None,
        }
        return HttpAnswer.json(201, answer)

    def send_text(self, instance: Instance, body: Mapping[str, object]) -> HttpAnswer:
        """Send a text: it is emitted as ``send.message``, stored and answered."""
        number, text = self._text_of(body)
        jid = number if "@" in number else f"{number}@s.whatsapp.net"
        if number in self._options.not_on_whatsapp:
            raise RestProblem(400, [{"jid": jid, "exists": False, "number": number}])
        if instance.state != "open":
            raise RestProblem(500, "Connection Closed")
        data = self._sent(instance, jid, text, body.get("quoted"))
        self._emit(instance, "send.message", data)
        if not self._options.v1:
            return HttpAnswer.json(201, data)
        answer = {
            "key": data["key"],
            "message": {"extendedTextMessage": {"text": text}},
            "messageTimestamp": str(data["messageTimestamp"]),
            "status": "PENDING",
        }
        return HttpAnswer.json(201, answer)

    def _text_of(self, body: Mapping[str, object]) -> tuple[str, str]:
        required = ["number", "textMessage" if self._options.v1 else "text"]
        missing = [f'instance requires property "{name}"' for name in required if name not in body]
        number, text = body.get("number"), body.get(required[1])
        if self._options.v1 and isinstance(text, Mapping):
            text = text.get("text")
        wrong = [
            f"{name} is not of a type(s) string"
            for name, value in zip(required, (number, text), strict=True)
            if name in body and not isinstance(value, str)
        ]
        if missing or wrong:
            raise RestProblem(400, [missing + wrong])
        return str(number), str(text)

    def _sent(self, instance: Instance, jid: str, text: str, quoted: object) -> dict[str, object]:
        context: dict[str, object] = {"mentionedJid": [], "groupMentions": []}
        key = quoted.get("key") if isinstance(quoted, Mapping) else None
        if isinstance(key, Mapping) and isinstance(quoted, Mapping):
            context["stanzaId"] = key.get("id")
            context["quotedMessage"] = quoted.get("message")
        return {
            "key": {
                "remoteJid": jid,
                "fromMe": True,
                "id": "3EB0" + secrets.token_hex(9).upper(),
            },
            "pushName": "Você",
            "status": "PENDING",
            "message": {"conversation": text},
            "contextInfo": context,
            "messageType": "conversation",
            "messageTimestamp": int(time.time()),
            "instanceId": instance.id,
            "source": "web",
        }


def _media_part(message: object) -> tuple[str, Mapping[str, object] | None]:
    """Return the kind and the media part of a message's content."""
    if isinstance(message, Mapping):
        for kind in MEDIA_KINDS:
            part = message.get(f"{kind}Message")
            if isinstance(part, Mapping):
                return f"{kind}Message", part
    return "", None
