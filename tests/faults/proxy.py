"""A TCP proxy on loopback that does to connections what networks do."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable

import attrs

from tests.faults.pipes import Link, Pipe, Weather


_HOST = "127.0.0.1"
_SOCKET_PATH = b"/socket.io"


class Proxy:
    """
    Stands between a client and a server.

    The first line of what a client sends decides where it goes: ``/socket.io`` to the
    events' server, everything else to the REST server, which may be the same.

    Args:
        socket_port: Returns the port of the server of events; it may change.
        rest_port: Returns the port of the REST server.
        seed: Makes jitter repeatable.

    Threads:
        Every method may be called from any thread.
    """

    def __init__(
        self, socket_port: Callable[[], int], rest_port: Callable[[], int], seed: int = 0
    ) -> None:
        self._ports = socket_port, rest_port
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self._links: set[Link] = set()
        self._weather = Weather()
        self._stopping = False
        self._listener = socket.create_server((_HOST, 0), backlog=128)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address for a client."""
        return f"http://{_HOST}:{self.port}"

    def set(self, **weather: object) -> None:
        """Change fields of :class:`Weather`; they hold for new data, and some for new links."""
        with self._lock:
            for name, value in weather.items():
                setattr(self._weather, name, value)
        self._wake()

    def clear(self) -> None:
        """Have fine weather again; what was swallowed is reset."""
        skew = self._weather.clock_skew
        with self._lock:
            for field, value in attrs.asdict(Weather(clock_skew=skew)).items():
                setattr(self._weather, field, value)
            for link in list(self._links):
                if link.is_swallowed:
                    self._drop(link)
                for pipe in link.pipes:
                    pipe.hurry()
        self._wake()

    def reset(self, rest: bool | None = None) -> int:
        """Reset the connections of the socket, of REST (*rest*), or all (None); return how many."""
        with self._lock:
            chosen = [link for link in self._links if rest is None or link.is_rest is rest]
            for link in chosen:
                self._drop(link)
        self._wake()
        return len(chosen)

    def half_open(self) -> int:
        """Swallow all traffic of the connections that are open; return how many there are."""
        with self._lock:
            for link in self._links:
                link.die()
            return len(self._links)

    def cut_after(self, size: int) -> None:
        """Reset the socket's connections when *size* more bytes came from the server."""
        with self._lock:
            for link in self._links:
                if link.down is not None and not link.is_rest:
                    link.down.cut_after = size

    @property
    def links(self) -> int:
        """How many connections there are."""
        return len(self._links)

    def stop(self) -> None:
        """Reset everything and listen no more."""
        self._stopping = True
        self._wake()
        self._thread.join()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # The thread

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_in.send(b".")

    def _run(self) -> None:
        while not self._stopping:
            with selectors.PollSelector() as selector, contextlib.ExitStack() as stack:
                with self._lock:
                    timeout = self._watch(selector)
                ready = selector.select(timeout)
                stack.enter_context(self._lock)
                for key, events in ready:
                    if key.data is not None:
                        key.data(events)
                self._write_due()
        with self._lock:
            for link in list(self._links):
                self._drop(link)
            for sock in (self._listener, self._wake_in, self._wake_out):
                sock.close()

    def _watch(self, selector: selectors.BaseSelector) -> float | None:
        """Watch what may happen; return how long to wait for it."""
        selector.register(self._listener, selectors.EVENT_READ, self._accept)
        selector.register(self._wake_out, selectors.EVENT_READ, self._drain)
        next_due: float | None = None
        now = time.monotonic()
        for link in self._links:
            masks: dict[socket.socket, int] = {}
            if not link.pipes:
                masks[link.client] = selectors.EVENT_READ
            for pipe in link.pipes:
                if pipe.wants_data:
                    masks[pipe.source] = masks.get(pipe.source, 0) | selectors.EVENT_READ
                due = pipe.next_due
                if due is not None and due <= now:
                    masks[pipe.target] = masks.get(pipe.target, 0) | selectors.EVENT_WRITE
                elif due is not None:
                    next_due = due if next_due is None else min(next_due, due)
            for sock, mask in masks.items():
                selector.register(sock, mask, self._reader(link, sock))
        return None if next_due is None else max(0.0, next_due - now)

    def _reader(self, link: Link, sock: socket.socket) -> Callable[[int], None]:
        def act(events: int) -> None:
            if link not in self._links or not events & selectors.EVENT_READ:
                return
            try:
                if not link.pipes:
                    self._begin(link)
                else:
                    self._pipe_from(link, sock).read(self._weather)
            except OSError:
                self._broken(link, sock)

        return act

    def _broken(self, link: Link, sock: socket.socket) -> None:
        if link.is_swallowed:  # nobody hears of it
            self._pipe_from(link, sock).ended = True
        else:
            self._drop(link)

    def _pipe_from(self, link: Link, sock: socket.socket) -> Pipe:
        return next(pipe for pipe in link.pipes if pipe.source is sock)

    def _drain(self, events: int) -> None:
        with contextlib.suppress(OSError):
            self._wake_out.recv(4096)

    def _accept(self, events: int) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._links.add(Link(client, is_swallowed=self._weather.swallow))

    def _begin(self, link: Link) -> None:
        data = link.client.recv(65536)
        if not data or (not link.is_swallowed and self._weather.swallow):
            link.is_swallowed = bool(data)
            if not data:
                self._drop(link)
            return
        if link.is_swallowed:
            return
        link.head += data
        if b"\r\n" not in link.head:
            return
        is_rest = _SOCKET_PATH not in link.head.split(b"\r\n", 1)[0]
        weather = self._weather
        if weather.rest_refused if is_rest else weather.socket_refused:
            self._drop(link)
            return
        server = socket.create_connection((_HOST, self._ports[is_rest]()), timeout=1.0)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.open(server, is_rest, weather, self._dice)

    def _write_due(self) -> None:
        for link in list(self._links):
            try:
                cuts = [pipe.write() for pipe in link.pipes]
            except OSError:
                cuts = [not link.is_swallowed]
            if any(cuts):
                self._drop(link)
            elif link.is_over:
                link.close(reset=False)
                self._links.discard(link)

    def _drop(self, link: Link) -> None:
        link.close(reset=True)
        self._links.discard(link)
