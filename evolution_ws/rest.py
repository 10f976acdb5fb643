"""The REST interface of an Evolution API server, as far as a client of its events needs it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any

from ._rest_answers import Reply
from ._rest_base import ServerApi, instance_path, logger
from ._rest_history import read_history
from ._rest_shapes import (
    UNDELIVERABLE,
    History,
    InstanceInfo,
    ServerInfo,
    WebsocketSettings,
    address_filter,
    delay_seconds,
    media_of,
    milliseconds,
    plain_json,
    quoted_body,
    raw_message,
    setting_names,
    settings_of,
    text_body,
)
from .exceptions import ApiError, ConfigError, WebsocketDisabledError


__all__ = ["Api", "History", "InstanceInfo", "ServerInfo", "WebsocketSettings"]


class Api(ServerApi):
    """
    Calls the REST routes of one server.

    Example::

        with Api("https://api.example.com", api_key="…") as api:
            print(api.connection_state("sales"))
            api.send_text("sales", "15550100", "Hello!")

    Every failing call raises :exc:`~evolution_ws.ApiError`: with the server's status and
    words, or with the status 0 when there was no answer, be it for want of a connection or
    of time. Redirects are not followed, since they would carry the key to another place.
    A GET is repeated up to three times, within two seconds, when the connection fails or the
    status is 502, 503 or 504; nothing else is sent twice.

    Args:
        url:
            An http, https, ws or wss URL; its path is the prefix of a reverse proxy.
        api_key:
            The global key or an instance's token, or a callable that returns one and is
            called for each request. None takes the one in *url*, if any.
        timeout:
            Longest time in seconds to connect, and then between two pieces of an answer.
        verify:
            Check the server's certificate; a str is the path of the authorities to trust.
        cert:
            Client certificate: a PEM file, or certificate and key files.
        proxy:
            ``"env"`` reads the environment, None uses no proxy, anything else is its URL.
        origin:
            Value of the ``Origin`` header, for servers that limit CORS origins.
        headers:
            Further headers of every request.

    Raises:
        ConfigError: An argument cannot work.

    Threads:
        Every method may be called from any thread, several at once; concurrent calls use
        connections of their own. After a fork the child opens its own, too.
    """

    def get_websocket(self, instance: str) -> WebsocketSettings | None:
        """
        Return which events the server sends for *instance*.

        Returns:
            The stored setting; None when there has never been one.

        Raises:
            WebsocketDisabledError: Websockets are off on the whole server.
            ApiError: There is no such instance, or the call failed.
        """
        reply = self._call("GET", instance_path("/websocket/find", instance))
        self._check_enabled(reply)
        return settings_of(reply.value)

    def set_websocket(
        self,
        instance: str,
        events: Iterable[str | Enum] | str | None = None,
        *,
        enabled: bool = True,
    ) -> WebsocketSettings:
        """
        Replace which events the server sends for *instance*. It takes effect at once.

        Args:
            instance:
                Its name.
            events:
                Names in any spelling; None, an empty list and ``"*"`` stand for all that
                the server knows. ``groups.update`` is left out with a warning: only the
                server's global mode delivers it.
            enabled:
                False stops all of them, and makes the server forget the list.

        Returns:
            What the server stored.

        Raises:
            WebsocketDisabledError: Websockets are off on the whole server.
            ConfigError: *events* names nothing that can be set.
            ApiError: The server refused a name, or the call failed.
        """
        wanted = setting_names(events)
        names = _deliverable(wanted)
        if wanted and not names:
            # An empty list would switch every event on.
            raise ConfigError("no setting delivers groups.update; use the server's global mode")
        setting = {"enabled": enabled, "events": list(names) if enabled else []}
        body = setting if self._server_is_v1() else {"websocket": setting}
        reply = self._call("POST", instance_path("/websocket/set", instance), body)
        self._check_enabled(reply)
        stored = settings_of(reply.value)
        return stored or WebsocketSettings(enabled, names if enabled else ())

    def ensure_events(self, instance: str, events: Iterable[str | Enum] | str) -> tuple[str, ...]:
        """
        Switch on what is missing of *events* for *instance*, and nothing off.

        Args:
            instance:
                Its name.
            events:
                Names in any spelling; ``"*"`` for all. ``groups.update`` is left out with a
                warning: only the server's global mode delivers it.

        Returns:
            The names that were added, in the form of the settings; empty when all were
            there already.

        Raises:
            WebsocketDisabledError: Websockets are off on the whole server.
            ApiError: The server refused a name, or the call failed.
        """
        stored = self.get_websocket(instance)
        have = stored.events if stored is not None and stored.enabled else ()
        if events == "*":  # only the server knows what all of them are
            everything = self.set_websocket(instance)
            return tuple(name for name in everything.events if name not in have)
        wanted = _deliverable(setting_names(events))
        added = tuple(name for name in wanted if name not in have)
        if added:
            self.set_websocket(instance, (*have, *added))
        return added

    def find_messages(
        self,
        instance: str,
        start: datetime,
        end: datetime,
        *,
        remote_jid: str | None = None,
        message_id: str | None = None,
        page_size: int = 1000,
    ) -> list[dict[str, Any]]:
        """
        Return the stored messages of a window of time, oldest first.

        The server has what it was told to store, and messages alone: no other events.

        Args:
            instance:
                Its name.
            start:
                Begin of the window, with a time zone. The second it is in belongs to it.
            end:
                Its end, with a time zone, included in the same way.
            remote_jid:
                Only this chat: a number or an address such as ``1555…@g.us``; None for all.
            message_id:
                Only the message with this id; None for all.
            page_size:
                Messages to ask for at first. When there are more, they are asked for again
                in one piece, since the server's pages repeat and lose messages.

        Returns:
            The server's own objects.

        Raises:
            ConfigError: A time has no time zone.
            ApiError: There is no such instance, or the call failed.
        """
        while True:
            found = self.history(
                instance, start, end, page_size, remote_jid=remote_jid, message_id=message_id
            )
            if found.is_complete or found.total <= page_size:
                return found.records
            # Some more may arrive between the two calls.
            page_size = found.total + 100

    def history(
        self,
        instance: str,
        start: datetime,
        end: datetime,
        limit: int,
        *,
        remote_jid: str | None = None,
        message_id: str | None = None,
    ) -> History:
        """
        Return the newest *limit* stored messages of a window of time.

        The arguments are those of :meth:`find_messages`. When the ``total`` of the result
        is greater than *limit*, smaller windows bring the rest. A server of version 1 knows
        no windows: it is asked for more and more, and the result may exceed *limit*.

        Raises:
            ConfigError: A time has no time zone, or *limit* is less than 1.
            ApiError: There is no such instance, or the call failed.
        """
        if limit < 1:
            raise ConfigError(f"limit has to be at least 1, not {limit!r}")
        window = milliseconds(start), milliseconds(end)
        is_v1 = self._server_is_v1()
        key = address_filter(remote_jid, message_id, is_v1=is_v1)
        path = instance_path("/chat/findMessages", instance)
        reply, found = read_history(
            partial(self._call, "POST", path), key, window, limit, is_v1=is_v1
        )
        if found is None:
            raise self._misread("POST", path, reply, "no messages in the answer")
        return found

    def send_text(
        self,
        instance: str,
        number: str,
        text: str,
        *,
        quoted: object = None,
        delay: float | None = None,
        link_preview: bool | None = None,
        mentioned: Iterable[str] | None = None,
        mentions_everyone: bool | None = None,
    ) -> dict[str, Any]:
        """
        Send a text message.

        Args:
            instance:
                The instance that sends.
            number:
                A telephone number with its country code, or the address of a chat.
            text:
                What to say.
            quoted:
                The message that this answers: its id, its dict, or an object with ``id``
                or ``raw`` such as a message or its event; None for none.
            delay:
                Seconds during which the chat shows "typing" first; the call takes as much
                longer. None and 0 send at once.
            link_preview:
                Whether the first link gets a preview; None leaves it to the server.
            mentioned:
                Numbers to mention; None for none.
            mentions_everyone:
                Whether the whole group is mentioned; None leaves it to the server.

        Returns:
            The message as the server sent it, its id at ``["key"]["id"]``.

        Raises:
            ConfigError: *delay* is out of range, or *quoted* names no message.
            ApiError: The number is not on WhatsApp, the instance is not connected, or the
                call failed. After a status of 0 the message may have been sent.
        """
        wait = delay_seconds(delay)
        options = {
            "quoted": None if quoted is None else quoted_body(quoted),
            "delay": None if delay is None else round(wait * 1000),
            "linkPreview": link_preview,
            "mentioned": None if mentioned is None else [str(one) for one in mentioned],
            "mentionsEveryOne": mentions_everyone,
        }
        body = text_body(str(number), text, options, is_v1=self._server_is_v1())
        path = instance_path("/message/sendText", instance)
        hidden = (str(number), text)
        reply = self._call("POST", path, body, timeout=self._timeout + wait, hidden=hidden)
        if not isinstance(reply.value, dict):
            raise self._misread("POST", path, reply, "no message in the answer")
        return reply.value

    def media_base64(
        self, instance: str, message: object, *, timeout: float | None = None
    ) -> bytes:
        """
        Return the bytes of a message's picture, sound, video, sticker or document.

        Args:
            instance:
                The instance that received or sent the message.
            message:
                Its id, its dict, or an object with ``id`` or ``raw`` such as a message or
                its event. With an id alone, the server has to have stored the message.
            timeout:
                As of the class; None waits six times as long as other calls, since the
                server downloads and decrypts first.

        Raises:
            ConfigError: *message* names no message.
            ApiError: The message has no media, or the server does not have it, or the call
                failed.
        """
        found = raw_message(message)
        path = instance_path("/chat/getBase64FromMediaMessage", instance)
        wait = self._timeout * 6 if timeout is None else timeout
        try:
            reply = self._call("POST", path, {"message": {"key": found["key"]}}, timeout=wait)
        except ApiError as exc:
            if "message" not in found or not any("not found" in said for said in exc.messages):
                raise
            # The server did not store it: send along what its event told.
            reply = self._call("POST", path, {"message": plain_json(found)}, timeout=wait)
        media = media_of(reply.value)
        if media is None:
            raise self._misread("POST", path, reply, "no media in the answer")
        return media

    def _check_enabled(self, reply: Reply) -> None:
        if reply.is_empty:
            raise WebsocketDisabledError(
                f"websockets are switched off on the server at {self._url}, and no setting for "
                "them is stored: start it with WEBSOCKET_ENABLED=true"
            )


def _deliverable(names: tuple[str, ...]) -> tuple[str, ...]:
    if not UNDELIVERABLE.isdisjoint(names):
        logger.warning("no setting delivers groups.update: only the server's global mode does")
    return tuple(name for name in names if name not in UNDELIVERABLE)
