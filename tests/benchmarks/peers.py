"""The alternatives to evolution_ws, each used as its own documentation shows."""

from __future__ import annotations

import importlib
import queue
from typing import Any, Protocol

import socketio
from websockets.sync.client import connect

from tests.benchmarks.job import EVENT, Job, Tally


CONNECT_TIMEOUT = 30.0


class PeerMissing(RuntimeError):
    """The package of a peer is not installed."""


def optional(name: str) -> Any:
    """Import a module, or raise PeerMissing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise PeerMissing(f"{name} is not installed") from None


class Peer(Protocol):
    """What a worker does with a client."""

    def __init__(self, job: Job) -> None: ...

    def connect(self) -> None:
        """Connect and join the namespaces of the job's instances."""

    def take(self, count: int, tally: Tally, idle: float) -> None:
        """Hand *count* events to *tally*; give up after *idle* seconds without one."""

    def emit(self, event: str, data: Any) -> None:
        """Emit on the first instance's namespace; any thread may call this."""

    def close(self) -> None:
        """End the connection."""


class RawPeer:
    """``socketio.Client`` with a handler that puts into a ``queue.Queue``."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._namespaces = [f"/{instance}" for instance in job.instances]
        self._queue: queue.Queue[Any] = queue.Queue()
        self._client = socketio.Client()
        for namespace in self._namespaces:
            self._client.on(EVENT, self._queue.put, namespace=namespace)

    def connect(self) -> None:
        self._client.connect(
            self._job.url,
            headers={"apikey": self._job.api_key},
            transports=["websocket"],
            namespaces=self._namespaces,
            wait_timeout=CONNECT_TIMEOUT,
        )

    def take(self, count: int, tally: Tally, idle: float) -> None:
        try:
            for _ in range(count):
                tally.add(self._queue.get(timeout=idle)["data"])
        except queue.Empty:
            pass

    def emit(self, event: str, data: Any) -> None:
        self._client.emit(event, data, namespace=self._namespaces[0])

    def close(self) -> None:
        self._client.disconnect()


class SimplePeer:
    """``socketio.SimpleClient``; it knows one namespace."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._client = socketio.SimpleClient()

    def connect(self) -> None:
        self._client.connect(
            self._job.url,
            headers={"apikey": self._job.api_key},
            transports=["websocket"],
            namespace=f"/{self._job.instances[0]}",
            wait_timeout=int(CONNECT_TIMEOUT),
        )

    def take(self, count: int, tally: Tally, idle: float) -> None:
        try:
            for _ in range(count):
                tally.add(self._client.receive(timeout=idle)[1]["data"])
        except socketio.exceptions.TimeoutError:
            pass

    def emit(self, event: str, data: Any) -> None:
        self._client.emit(event, data)

    def close(self) -> None:
        self._client.disconnect()


class OfficialPeer:
    """The ``evolutionapi`` package's WebSocketManager, with a queue behind its handler."""

    def __init__(self, job: Job) -> None:
        module = optional("evolutionapi.services.websocket")
        self._queue: queue.Queue[Any] = queue.Queue()
        self._manager = module.WebSocketManager(job.url, job.instances[0], job.api_key)
        self._manager.on(EVENT, self._queue.put)

    def connect(self) -> None:
        self._manager.connect()

    def take(self, count: int, tally: Tally, idle: float) -> None:
        try:
            for _ in range(count):
                tally.add(self._queue.get(timeout=idle)["data"])
        except queue.Empty:
            pass

    def emit(self, event: str, data: Any) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._manager.disconnect()


class BarePeer:
    """
    ``websockets.sync`` and orjson, and socket.io decoded by hand in the caller's thread.

    No types, no queue, no reconnect: what is left is the least that Python can do.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._loads = optional("orjson").loads

    def connect(self) -> None:
        url = self._job.url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        headers = {"apikey": self._job.api_key}
        self._context = connect(url, additional_headers=headers, max_size=None, compression=None)
        self._wire = self._context.__enter__()
        self._wire.recv(CONNECT_TIMEOUT)
        for instance in self._job.instances:
            self._wire.send(f"40/{instance},")
        for _ in self._job.instances:
            self._wire.recv(CONNECT_TIMEOUT)

    def take(self, count: int, tally: Tally, idle: float) -> None:
        # Nothing is lost on a bare websocket, so there is no wait to give up.
        frame: Any
        for frame in self._wire:
            if frame[:2] == "42":
                tally.add(self._loads(frame[frame.index("[") :])[1]["data"])
            elif frame[:2] == "45":
                tally.add(self._binary(frame)["data"])
            elif frame == "2":
                self._wire.send("3")
            if tally.seen == count:
                break

    def _binary(self, frame: str) -> Any:
        dash = frame.index("-")
        attachments = [self._wire.recv() for _ in range(int(frame[2:dash]))]
        return _filled(self._loads(frame[frame.index("[", dash) :])[1], attachments)

    def emit(self, event: str, data: Any) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._context.__exit__(None, None, None)


def _filled(value: Any, attachments: list[Any]) -> Any:
    """Return *value* with the placeholders of socket.io replaced by the attachments."""
    if isinstance(value, dict):
        if value.get("_placeholder"):
            return attachments[value["num"]]
        return {key: _filled(item, attachments) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, attachments) for item in value]
    return value
