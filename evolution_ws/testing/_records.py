"""What an embedded server tells about its clients."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from attrs import field, frozen

from ._auth import sent_key
from ._engineio import Session
from ._http import HttpRequest


class Emitted(NamedTuple):
    """An event that a client sent."""

    namespace: str
    name: str
    args: list[object]


@frozen
class ClientInfo:
    """A connected client as it was at one moment."""

    sid: str
    namespaces: tuple[str, ...]
    """Namespaces that it has joined, in that order."""

    has_key: bool
    """Whether the handshake carried an api key."""

    headers: Mapping[str, str] = field(repr=False)
    """Header fields of the handshake by lower-case name."""

    query: Mapping[str, str] = field(repr=False)
    """Query parameters of the handshake."""

    @classmethod
    def of(cls, session: Session, namespaces: Iterable[str]) -> ClientInfo:
        """Return what there is to know about *session*."""
        return cls(
            sid=session.sid,
            namespaces=tuple(namespaces),
            has_key=sent_key(session.request),
            headers=MappingProxyType(dict(session.request.headers)),
            query=MappingProxyType(dict(session.request.query)),
        )


@frozen
class RestRequest:
    """A REST call that the server has seen; key and body stay out of the representation."""

    method: str
    path: str
    """Path as sent, percent-encoded."""

    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    json: object = field(repr=False)
    """The decoded body, None when there is none or it is not JSON."""

    @classmethod
    def of(cls, request: HttpRequest) -> RestRequest:
        """Return what there is to know about *request*."""
        try:
            content = json.loads(request.body)
        except ValueError:
            content = None
        return cls(
            method=request.method,
            path=request.path,
            query=MappingProxyType(dict(request.query)),
            headers=MappingProxyType(dict(request.headers)),
            json=content,
        )
