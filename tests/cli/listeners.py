"""Things that listen on a port and are no Evolution servers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager

from tests.cli.tools import CEILING


@contextmanager
def listener(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """Call *serve* with each connection to a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    sock, _ = server.accept()
                except OSError:  # closed
                    return
                threading.Thread(target=attend, args=(sock,), daemon=True).start()

        def attend(sock: socket.socket) -> None:
            with closing(sock):
                sock.settimeout(CEILING)
                serve(sock)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(CEILING)


@contextmanager
def canned(answers: Mapping[str, bytes]) -> Iterator[str]:
    """
    Answer requests with prepared texts, and give the address.

    Args:
        answers: What is sent, by the beginning of method and path; the longest one counts.
            An empty text closes the connection.
    """

    def serve(sock: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = sock.recv(4096)
            if not piece:
                return
            head += piece
        fitting = [key for key in answers if head.decode().startswith(key)]
        sock.sendall(answers[max(fitting, key=len)] if fitting else http("404 Not Found"))

    with listener(serve) as port:
        yield f"http://127.0.0.1:{port}"


def http(status: str, body: str = "", *fields: str) -> bytes:
    """Return a whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", *fields, "", body]
    return "\r\n".join(lines).encode()
