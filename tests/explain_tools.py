"""Servers that fail an attempt to connect, and the error that comes of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from evolution_ws import Client, EvolutionError

from .raw_server import Peer, RawServer


KEY = "a-key-of-these-tests-4711"


def answering(status: str, body: bytes = b"", *headers: str) -> Callable[[Peer], None]:
    """Return a script that answers the handshake with *status* and *body*."""

    def script(peer: Peer) -> None:
        peer.head()
        head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *headers))
        peer.raw(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        peer.until_gone()

    return script


def saying(data: bytes) -> Callable[[Peer], None]:
    """Return a script that answers anything with *data* and hangs up."""

    def script(peer: Peer) -> None:
        peer.head()
        peer.raw(data)

    return script


def failure(url: str, **options: Any) -> EvolutionError:
    """Return the error of an attempt to connect, which shows the key nowhere."""
    options = {"connect_timeout": 5.0, "backfill": False, **options}
    client = Client(url, instance="sales", api_key=KEY, **options)
    with pytest.raises(EvolutionError) as caught:
        client.connect()
    client.close()
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert KEY not in shown
    return caught.value


def failure_of(*scripts: Callable[[Peer], object], **options: Any) -> tuple[EvolutionError, str]:
    """Return the error of an attempt to connect to a scripted server, and the server's URL."""
    with RawServer(*scripts) as raw:
        return failure(raw.url, **options), raw.url
