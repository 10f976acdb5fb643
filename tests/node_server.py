"""
The real socket.io server of tests/node, driven from Python.

It keeps Evolution's rules: a namespace comes into being with the first event of its
instance, a key is asked for at the handshake, global mode copies everything to ``/``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.node_process import COMMAND_TIMEOUT, NodeProcess, NodeServerError
from tests.node_tools import NODE_DIR, require_node


__all__ = ["NodeServer", "NodeServerError", "require_node"]

POLL_INTERVAL = 0.005


class NodeServer:
    """
    A socket.io server in a Node process of its own, on a free loopback port.

    Example::

        with NodeServer() as server:
            server.create_namespace("sales")
            server.emit("messages.upsert", {"key": {"id": "A1"}}, instance="sales")

    Args:
        api_key: The key that clients must show; None lets everybody in.
        global_events: Whether every event is sent on ``/`` too.
        websocket_enabled: False answers 404 to every handshake.
        lookup_delay: Seconds between the copies on ``/`` and on the instance's namespace.
        port: 0 takes a free one.
        engine: Options of socket.io as it spells them (``pingInterval=300``, milliseconds).

    Threads:
        Commands may come from any thread; they are run one after the other.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        global_events: bool = False,
        websocket_enabled: bool = True,
        lookup_delay: float = 0.0,
        port: int = 0,
        **engine: Any,
    ) -> None:
        self.port = port
        self._options = {
            "apiKeys": None if api_key is None else [api_key],
            "globalEvents": global_events,
            "websocketEnabled": websocket_enabled,
            "lookupDelay": lookup_delay * 1000,
            "engine": engine,
        }
        self._process: NodeProcess | None = None

    @property
    def url(self) -> str:
        """The address for a client, such as ``http://127.0.0.1:40123``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        return self._running().pid

    # Lifetime

    def start(self) -> NodeServer:
        """Start the process and wait until it listens."""
        self._process = NodeProcess(NODE_DIR / "server.js", {**self._options, "port": self.port})
        self.port = self._process.ready["port"]
        return self

    def stop(self) -> None:
        """End the process: its clients see the connection drop. Does nothing when stopped."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    def restart(self) -> None:
        """Stop and start again on the same port: all namespaces are gone, as after a real one."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stop the process in its tracks: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Keep the process frozen for the length of a with block."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def __enter__(self) -> NodeServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Events

    def create_namespace(self, *instances: str) -> None:
        """Let the namespaces of *instances* exist without an event."""
        for instance in instances:
            self.command("create_namespace", instance=instance)

    def configure(
        self, instance: str, *, enabled: bool = True, events: Iterable[str] | None = None
    ) -> None:
        """Choose the events of an instance by their names in the settings; None means all."""
        names = None if events is None else list(events)
        self.command("configure", instance=instance, enabled=enabled, events=names)

    def emit(
        self, event: str, data: Any = None, *, instance: str, count: int = 1, **about: Any
    ) -> None:
        """
        Send an event *count* times, in the envelope and by the rules of the real server.

        Args:
            event: The name on the wire, such as ``messages.upsert``.
            data: The envelope's data; bytes travel as binary attachments.
            instance: Whose event it is.
            count: How many times.
            about: ``sender``, ``apikey``, and ``extra`` (a dict of top-level keys).
        """
        self.command("emit", event=event, data=data, instance=instance, count=count, **about)

    def emit_raw(self, namespace: str, event: str, *args: Any) -> None:
        """Send *args* as they are on a namespace, which this creates if need be."""
        self.command("emit_raw", namespace=namespace, event=event, args=list(args))

    def send_envelopes(self, envelopes: Iterable[Mapping[str, Any]]) -> None:
        """Send whole envelopes as they are, each on its own instance's namespace."""
        self.command("envelopes", envelopes=list(envelopes))

    def send_samples(self, directory: Path, pattern: str = "[!_]*.json") -> list[Path]:
        """Send the envelopes in the files of a directory in the order of their names."""
        files = sorted(directory.glob(pattern))
        self.send_envelopes(json.loads(path.read_text(encoding="utf-8")) for path in files)
        return files

    def burst(
        self, count: int, *, instances: Iterable[str], wait: bool = True, **shape: Any
    ) -> None:
        """
        Send numbered events (``data["seq"]``) through ordinary emits.

        Args:
            count: How many.
            instances: Whose events they are, in turn.
            wait: False returns at once, while the server goes on sending.
            shape:
                ``kind`` (text, binary, media, mixed), ``size`` (bytes of an event),
                ``attachments``, ``event``, ``first`` (number of the first) and
                ``rate`` (events a second; ``data["sent"]`` is the time in the clock of
                :func:`time.monotonic`).
        """
        name = "burst" if wait else "start_burst"
        self.command(name, count=count, instances=list(instances), **shape)

    def prepare(self, name: str, count: int, *, instances: Iterable[str], **shape: Any) -> int:
        """
        Encode a burst to be sent by :meth:`fire`; arguments as for :meth:`burst`.

        All of it goes to the clients of the first instance's namespace, or of
        *namespace* if that is given.

        Returns:
            Its size on the wire in bytes.
        """
        sent = self.command("prepare", name=name, count=count, instances=list(instances), **shape)
        return int(sent["bytes"])

    def fire(self, name: str) -> int:
        """Send a prepared burst with next to no work; return the number of its receivers."""
        return int(self.command("fire", name=name))

    def greet(self, event: str, data: Any = None, *, instance: str) -> None:
        """Send this event to each client as soon as it has joined the instance's namespace."""
        self.command("greet", event=event, data=data, instance=instance)

    # Misfortunes

    def refuse(self, reason: str | None) -> None:
        """Refuse every handshake with this text from now on; None accepts them again."""
        self.command("refuse", reason=reason)

    def kick(self, namespace: str = "/", *, close: bool = False) -> None:
        """Disconnect the clients of a namespace; *close* ends their whole connection."""
        self.command("kick", namespace=namespace, close=close)

    def close_transports(self) -> None:
        """Close every connection with a websocket close frame."""
        self.command("close_transports")

    def drop(self) -> int:
        """Destroy every TCP connection; return how many there were."""
        return int(self.command("drop"))

    # What clients did

    def acknowledge(self, mode: str = "echo", delay: float = 0.0) -> None:
        """Answer acknowledgements with the arguments after *delay* seconds; ``none``: never."""
        self.command("acknowledge", mode=mode, delay=delay * 1000)

    def received(self) -> list[dict[str, Any]]:
        """
        Return, and forget, what clients emitted: dicts of namespace, event and args.

        The counters *received*, *firstAt* and *lastAt* of :meth:`stats` start afresh.
        """
        events: list[dict[str, Any]] = self.command("received")
        return events

    def stats(self) -> dict[str, Any]:
        """Return the counters: clients by namespace, transports, received, refused and so on."""
        counters: dict[str, Any] = self.command("stats")
        return counters

    def clients(self, namespace: str = "/") -> int:
        """Return how many clients have joined a namespace."""
        return int(self.stats()["clients"].get(namespace, 0))

    def wait_until(
        self, condition: Callable[[dict[str, Any]], bool], timeout: float = 10.0
    ) -> None:
        """Wait until *condition* holds for :meth:`stats`; TimeoutError after *timeout* seconds."""
        deadline = time.monotonic() + timeout
        while not condition(stats := self.stats()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {timeout:g} s; last: {stats}")
            time.sleep(POLL_INTERVAL)

    def wait_for_clients(self, namespace: str = "/", count: int = 1, timeout: float = 10.0) -> None:
        """Wait until *count* clients have joined a namespace."""
        self.wait_until(lambda stats: stats["clients"].get(namespace, 0) == count, timeout)

    def command(self, name: str, /, *, answer_timeout: float = COMMAND_TIMEOUT, **args: Any) -> Any:
        """
        Run one command of the server and return its result.

        Raises:
            NodeServerError: The server said no, has ended, or is not running.
            TimeoutError: No answer within *answer_timeout* seconds: it is frozen or busy.
        """
        return self._running().command(name, args, answer_timeout)

    def _running(self) -> NodeProcess:
        if self._process is None:
            raise NodeServerError("the server is not running")
        return self._process
