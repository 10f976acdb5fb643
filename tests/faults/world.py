"""The server, its history and the network before it, and everything that can befall them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from evolution_ws.testing import FakeEvolutionServer
from tests.faults.ledger import Sent, key_id
from tests.faults.names import HOST, NameService
from tests.faults.plan import Plan
from tests.faults.proxy import Proxy
from tests.node_server import NodeServer


# In seconds; a dead connection is noticed within their sum.
PING_INTERVAL = 0.4
PING_TIMEOUT = 0.8


class World:
    """
    What a client meets.

    Messages that arrive while the server is down are stored with their own time and
    emitted when it is up again, as WhatsApp does it.

    Threads:
        Faults come from one thread, events from another.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.sent: list[Sent] = []
        """Messages that the server has stored, or will have in a moment."""
        self._emitting = threading.Lock()
        self._backlog: list[Callable[[], None]] = []
        self._is_up = True
        self._number = 0
        self._skew = plan.clock_skew or 0.0
        self._dice = random.Random(plan.seed + 1)
        self._begin = time.monotonic()
        self._stack = ExitStack()
        self.fake = FakeEvolutionServer(
            instances=plan.instances,
            lazy=plan.lazy,
            global_events=plan.global_events,
            store_delay=plan.store_delay,
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_TIMEOUT,
        )
        self.node: NodeServer | None = None
        if plan.backend == "node":
            self.node = NodeServer(
                global_events=plan.global_events,
                pingInterval=PING_INTERVAL * 1000,
                pingTimeout=PING_TIMEOUT * 1000,
            )

    def __enter__(self) -> World:
        self._stack.enter_context(self.fake)
        if self.node is not None:
            self._stack.enter_context(self.node)
            self._create_namespaces()
        self.names = self._stack.enter_context(NameService())
        self.proxy = self._stack.enter_context(
            Proxy(lambda: (self.node or self.fake).port, lambda: self.fake.port, self.plan.seed)
        )
        self.proxy.set(clock_skew=self.plan.clock_skew)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """The address for the client."""
        return f"http://{HOST}:{self.proxy.port}"

    @property
    def age(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begin

    def _create_namespaces(self) -> None:
        if self.node is not None and not self.plan.lazy:
            self.node.create_namespace(*self.plan.instances)

    # Events

    def emit(self, kind: str = "text", instance: str | None = None) -> None:
        """Have an event happen; a message is stored, whatever else is the matter."""
        with self._emitting:
            self._number += 1
            name = instance or self._dice.choice(self.plan.instances)
            key = key_id(name, self._number)
            if kind == "presence":
                event, data = "presence.update", {"id": key, "presences": {}}
            else:
                event, data = "messages.upsert", self._message(key, kind)
                self.sent.append(Sent(name, self._number, self.age))

            def publish() -> None:
                self.fake.emit(event, data, instance=name)
                if self.node is not None:
                    self.node.emit(event, data, instance=name)

            if self._is_up:
                publish()
            else:
                self._backlog.append(publish)

    def _message(self, key: str, kind: str) -> dict[str, Any]:
        text: dict[str, Any] = {"conversation": f"message {key}"}
        if kind != "text":
            size = 200 if kind == "binary" else 60_000
            blob = self._dice.randbytes(32)
            thumbnail = self._dice.randbytes(size)
            image = {"mediaKey": blob, "fileSha256": blob[::-1], "jpegThumbnail": thumbnail}
            text = {"imageMessage": image}
        return {
            "key": {"remoteJid": "5511900000000@s.whatsapp.net", "fromMe": False, "id": key},
            "pushName": "Ana",
            "message": text,
            "messageType": "conversation" if kind == "text" else "imageMessage",
            "messageTimestamp": int(time.time() + self._skew),
        }

    def _go_down(self) -> None:
        with self._emitting:
            self._is_up = False

    def _come_up(self) -> None:
        with self._emitting:
            self._is_up = True
            for publish in self._backlog:
                publish()
            self._backlog.clear()

    # Faults: each a step of a plan

    def restart(self, downtime: float) -> None:
        """Kill the server, and start it again after *downtime* seconds."""
        self._go_down()
        if self.node is not None:
            self.node.stop()
            self.fake.stop()
            time.sleep(downtime)
            self.fake.start()
            self.node.start()
            self._create_namespaces()
        else:
            self.fake.restart(downtime)
        self._come_up()

    def kick(self, which: int | str | None, close: bool) -> None:
        """Throw clients out of a namespace, or of all of them."""
        name = self.plan.instances[0] if which == 0 else which
        if self.node is None:
            self.fake.kick(str(name) if name is not None else None, close=close)
            return
        for instance in self.plan.instances if name is None else (str(name),):
            self.node.kick("/" if instance == "/" else "/" + instance, close=close)

    def drop(self) -> None:
        """Destroy all connections at the server."""
        self.fake.drop()
        if self.node is not None:
            self.node.drop()

    def freeze(self, seconds: float) -> None:
        """Stop the server in its tracks, as SIGSTOP does."""
        if self.node is None:
            self.fake.freeze()
            time.sleep(seconds)
            self.fake.thaw()
            return
        self._go_down()
        with self.node.frozen():
            self.fake.freeze()
            time.sleep(seconds)
            self.fake.thaw()
        self._come_up()

    def refuse(self, reason: str | int, seconds: float) -> None:
        """Refuse handshakes for a while, with words that pass or as a gateway does."""
        self.fake.refuse(reason)
        if self.node is not None:
            self.node.refuse("Authentication error")
        self.proxy.reset(rest=False)
        time.sleep(seconds)
        self.fake.refuse(None)
        if self.node is not None:
            self.node.refuse(None)

    def rest_fails(self, status: int, body: str | None, seconds: float) -> None:
        """Have REST answer nonsense for a while, and a drop that makes it be asked."""
        self.fake.rest_fails(status, body)
        self.proxy.reset(rest=False)
        time.sleep(seconds)
        self.fake.rest_fails(None)

    def rest_slow(self, seconds: float) -> None:
        """Have REST take its time for a while."""
        self.fake.rest_delay = seconds
        self.proxy.reset(rest=False)
        time.sleep(seconds)
        self.fake.rest_delay = 0.0

    def heal(self) -> None:
        """End every fault."""
        self.proxy.clear()
        self.names.fails = False
        self.fake.rest_fails(None)
        self.fake.refuse(None)
        self.fake.rest_delay = 0.0
