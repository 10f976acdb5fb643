"""A name service that fails on demand, for this process alone."""

from __future__ import annotations

import socket
from typing import Any


HOST = "evolution.test"


class NameService:
    """Resolves :data:`HOST` to this machine, as long as it is not told to fail."""

    def __init__(self) -> None:
        self.fails = False
        self._real = socket.getaddrinfo

    def _resolve(self, host: Any, *args: Any, **options: Any) -> Any:
        if host == HOST:
            if self.fails:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            host = "127.0.0.1"
        return self._real(host, *args, **options)

    def __enter__(self) -> NameService:
        socket.getaddrinfo = self._resolve
        return self

    def __exit__(self, *_: object) -> None:
        socket.getaddrinfo = self._real
