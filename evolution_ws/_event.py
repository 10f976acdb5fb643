"""What every event has, whatever its kind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, ClassVar, cast

import attrs

from ._event_id import digest
from ._json_safe import canonical, decode, encode


__all__ = ["KINDS", "Event", "blank"]

KINDS: dict[str, type[Event]] = {}
"""The class of each event that has one of its own, by name on the wire."""

_ENVELOPE_KEYS = frozenset(
    {"apikey", "data", "date_time", "event", "instance", "sender", "server_url"}
)


@attrs.frozen(init=False, eq=False, repr=False, slots=False)
class Event:
    """
    One event of an instance, as the server emitted it.

    Immutable. What the server wrote is kept as it came; every attribute is
    computed when it is read, so an event that is only passed on costs next to
    nothing. The class follows from the type. Two events are equal when all their
    attributes but :attr:`api_key` are, and they hash by :attr:`id`.

    Clients hand out events made by :func:`.parse_event`; tests may make their own::

        Event("groups.update", "sales", [{"id": "1@g.us", "subject": "Team"}])

    Args:
        type:
            Name of the event on the wire.
        instance:
            Name of the instance; when empty, that of *namespace*.
        data:
            The payload.
        sender:
            The instance's own jid.
        server_url:
            What the server believes to be its own address.
        date_time:
            The server's wall clock.
        received_at:
            Unix time in seconds or an aware datetime; None means now.
        extra:
            Further top-level keys of the envelope.
        namespace:
            The socket.io namespace.
        replayed:
            Whether the event was fetched from the server's history.
        redelivered:
            Whether a durable inbox delivers the event again.
        api_key:
            The instance's token, where the server exposes it.
    """

    # The envelope is the one source: type and flags are what it does not say.
    type: str
    """Name on the wire, for example ``"messages.upsert"``."""
    _envelope: Mapping[str, Any]
    namespace: str
    """The socket.io namespace the event came in on."""
    _received: float
    replayed: bool
    """Whether it was fetched from the server's history after a gap."""
    redelivered: bool
    """Whether a durable inbox delivers it again, because it was not done before."""
    _ack: Callable[[], None] | None

    types: ClassVar[tuple[str, ...]] = ()
    """Wire names that :func:`.parse_event` gives this class to."""

    def __init_subclass__(cls, *, types: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.types = types
        KINDS.update(dict.fromkeys(types, cls))

    def __new__(cls, type: str = "", *args: Any, **kwargs: Any) -> Event:  # noqa: A002
        # Event("messages.upsert") is a MessageEvent, as off the wire.
        kind = KINDS.get(type, cls)
        return blank(kind if issubclass(kind, cls) else cls)

    def __init__(
        self,
        type: str,  # noqa: A002 - the name of the attribute
        instance: str = "",
        data: Any = None,
        *,
        sender: str | None = None,
        server_url: str | None = None,
        date_time: str | None = None,
        received_at: datetime | float | None = None,
        extra: Mapping[str, Any] | None = None,
        namespace: str = "/",
        replayed: bool = False,
        redelivered: bool = False,
        api_key: str | None = None,
    ) -> None:
        known = {
            "event": type,
            "instance": instance,
            "data": data,
            "server_url": server_url,
            "date_time": date_time,
            "sender": sender,
            "apikey": api_key,
        }
        self.__attrs_init__(
            type,
            {**(extra or {}), **known},
            namespace,
            _unix_time(received_at),
            replayed,
            redelivered,
            None,
        )

    @property
    def instance(self) -> str:
        """Name of the instance; ``""`` when neither envelope nor namespace tells it."""
        return self._text("instance") or self.namespace.lstrip("/")

    @property
    def data(self) -> Any:
        """The payload as it came: a dict, a list or None."""
        return self._envelope.get("data")

    @property
    def sender(self) -> str | None:
        """The instance's own jid; None until it was connected once, and on other channels."""
        return self._text("sender")

    @property
    def server_url(self) -> str | None:
        """What the server was told its own address is; often of no use outside."""
        return self._text("server_url")

    @property
    def date_time(self) -> str | None:
        """
        The server's wall clock, as it wrote it.

        It ends in ``Z`` although it is the server's local time, so it is no UTC;
        good for sorting the events of one server. For a time that can be trusted
        take :attr:`received_at` or a message's timestamp.
        """
        return self._text("date_time")

    @property
    def received_at(self) -> datetime:
        """When the event came off the wire, in UTC."""
        return datetime.fromtimestamp(self._received, timezone.utc)

    @property
    def extra(self) -> dict[str, Any]:
        """Top-level keys beside the usual ones, such as ``isLatest`` and ``progress``."""
        return {key: item for key, item in self._envelope.items() if key not in _ENVELOPE_KEYS}

    @property
    def api_key(self) -> str | None:
        """
        The instance's token, on servers that expose it.

        A secret: it is in no ``repr``, not in :meth:`to_dict`, and not pickled.
        """
        return self._text("apikey")

    @property
    def id(self) -> str:
        """
        A name for this event that is the same on every listener and after a replay.

        Messages are named by instance, type and the id of the message; everything
        else by a digest of when and what the server sent.
        """
        known = self.__dict__.get("_id")
        if known is None:
            known = f"{self.instance}:{self.type}:{self._local_id()}"
            self.__dict__["_id"] = known  # computed from what cannot change
        return cast(str, known)

    def ack(self) -> None:
        """
        Say that the event is done, so that it is not delivered again.

        Counts for a client with a durable inbox, which with ``auto_ack=False`` goes by
        nothing else; without one, and when called again, it does nothing.
        """
        if self._ack is not None:
            self._ack()

    def replace(self, **changes: Any) -> Event:
        """
        Return a copy with some attributes changed, of the class that its type asks for.

        Args:
            changes:
                Arguments of the constructor. The copy has no acknowledgement.
        """
        given = {name: getattr(self, name) for name in (*_COMPARED, "api_key")}
        given.update(changes)
        return Event(**given)

    def to_dict(self) -> dict[str, Any]:
        """
        Return the event as a dict that every JSON encoder accepts.

        Bytes are written as ``{"$bytes": "<base64>"}``. Everything but the api key
        is in it, and the id for those who read it elsewhere.
        """
        written = {name: encode(getattr(self, name)) for name in _COMPARED}
        written["received_at"] = self.received_at.isoformat()
        return {"id": encode(self.id), **written}

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Event:
        """
        Return the event that :meth:`to_dict` wrote, equal to it and of the same class.

        Raises:
            ValueError: *written* is no event.
        """
        if not isinstance(written, Mapping) or "type" not in written:
            raise ValueError("this is no event: to_dict() writes a dict with a 'type'")
        read = {name: decode(written.get(name)) for name in _COMPARED}
        extra, received_at = read["extra"], read["received_at"]
        return cls(
            **{
                **read,
                "type": str(read["type"]),
                "extra": extra if isinstance(extra, Mapping) else None,
                "namespace": str(read["namespace"] or "/"),
                "received_at": datetime.fromisoformat(str(received_at)) if received_at else None,
                "redelivered": bool(read["redelivered"]),
                "replayed": bool(read["replayed"]),
            }
        )

    def to_json(self) -> str:
        """Return :meth:`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    def to_envelope(self) -> dict[str, Any]:
        """
        Return the payload of the socket.io event, as a server sends it.

        Bytes stay bytes, and the api key is in it: this is for servers in tests
        and for tools that pass events on, not for logs.
        """
        known = {**self._envelope, "event": self.type, "instance": self.instance}
        absent = ("date_time", "sender", "server_url")  # left out where there is nothing to say
        return {key: item for key, item in known.items() if item is not None or key not in absent}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event) or other.__class__ is not self.__class__:
            return NotImplemented
        mine = tuple(getattr(self, name) for name in _COMPARED)
        theirs = tuple(getattr(other, name) for name in _COMPARED)
        try:
            return mine == theirs
        except RecursionError:  # nested as deep as only hostile payloads are
            return canonical(mine) == canonical(theirs)

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        marks = [mark for mark in ("replayed", "redelivered") if getattr(self, mark)]
        facts = [f"{self.type!r}", f"instance={self.instance!r}", f"id={self.id!r}"]
        return f"{type(self).__name__}({', '.join(facts + [f'{mark}=True' for mark in marks])})"

    def _repr_html_(self) -> str:
        from ._event_html import event_html  # nobody but a notebook pays for it

        return event_html(self)

    def __getstate__(self) -> dict[str, Any]:
        # A pickle travels to brokers and disks: no key, and no hold on an inbox.
        envelope = {name: item for name, item in self._envelope.items() if name != "apikey"}
        return {**self.__dict__, "_envelope": envelope, "_ack": None}

    def _carry(self, ack: Callable[[], None]) -> None:
        # The inbox's own hook, before anybody has the event.
        object.__setattr__(self, "_ack", ack)

    def _copy(self) -> Event:
        # One for each consumer, who acknowledges for itself; unlike copy.copy(), with the key.
        copy = blank(type(self))
        copy.__dict__.update(self.__dict__)
        return copy

    def _text(self, key: str) -> str | None:
        item = self._envelope.get(key)
        return item if isinstance(item, str) and item else None

    def _local_id(self) -> str:
        return digest([self.date_time, self.data])


# What makes two events equal, in the order in which it is written down.
_COMPARED = (
    "type",
    "instance",
    "data",
    "sender",
    "server_url",
    "date_time",
    "received_at",
    "extra",
    "namespace",
    "replayed",
    "redelivered",
)


blank = cast(Callable[[type[Event]], Event], object.__new__)
"""Make an event that is yet to be filled."""


def _unix_time(when: datetime | float | None) -> float:
    if when is None:
        return time.time()
    return when.timestamp() if isinstance(when, datetime) else float(when)
