"""How users call the library: checked by type checkers, never run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolution_ws import (
    Api,
    ApiError,
    AuthenticationError,
    Backoff,
    Client,
    ClientConfig,
    ConfigError,
    ConnectionState,
    Event,
    EventType,
    EvolutionError,
    LifecycleEvent,
    MessageEvent,
    NamespaceState,
    Overflow,
    Stats,
    Subscription,
    parse_event,
)


if TYPE_CHECKING:
    from typing_extensions import assert_type


# Making a client

client = Client("https://api.example.com", instance="sales", api_key="key")
Client("wss://api.example.com/sales?apikey=key")
Client("https://api.example.com", ["sales", "support"], api_key=lambda: "key")
Client("https://api.example.com", "*", config=ClientConfig(), queue_size=0)
Client("https://api.example.com", api_key=None, overflow="block", durable=Path("inbox.db"))
assert_type(Client.from_env(), Client)
Client.from_env("WHATSAPP_", {"WHATSAPP_URL": "https://api.example.com"}, instance="sales")

Client()  # type: ignore[call-arg]
Client("https://api.example.com", 5)  # type: ignore[arg-type]
Client("https://api.example.com", "sales", "key")  # type: ignore[call-arg]
Client("https://api.example.com", api_key=5)  # type: ignore[arg-type]


# Settings

config = ClientConfig(
    backoff=Backoff(maximum=5, attempts=10),
    queue_size=1_000,
    overflow=Overflow.RAISE,
    since=datetime.now(timezone.utc),
    durable="inbox.db",
    verify="/path/ca.pem",
    cert=("/path/cert.pem", "/path/key.pem"),
    proxy=None,
    headers={"X-Team": "sales"},
    callback_context=nullcontext,
    on_error=lambda error, event: print(error, event),
)
assert_type(config.overflow, Overflow)
assert_type(config.since, datetime | None)
assert_type(config.durable, str | None)
ClientConfig(overflow="drop_newest", since="2026-01-02T03:04:05Z", durable=Path("inbox.db"))
delays: Iterator[float] = Backoff().delays()

ClientConfig(100)  # type: ignore[call-arg, arg-type]
ClientConfig(queue_size="many")  # type: ignore[arg-type]
ClientConfig(unknown=1)  # type: ignore[call-arg]
config.queue_size = 5  # type: ignore[misc]


# The connection

with client as entered:
    assert_type(entered, Client)
assert_type(client.connect(timeout=5), Client)
assert_type(client.wait_connected(5), None)
assert_type(client.close(), bool)
assert_type(client.disconnect(timeout=1), bool)
assert_type(client.state, ConnectionState)
assert_type(client.is_connected, bool)
assert_type(client.namespaces, dict[str, NamespaceState | str])
assert_type(client.stats, Stats)
assert_type(client.stats.received, int)
assert_type(client.stats.last_event_at, datetime | None)


# Loops and single events

for event in client.events("messages.upsert", EventType.CALL, instance="sales", timeout=5, limit=9):
    print(event.type, event.instance, event.data)
client.get(timeout=0).ack()
client.wait_for("connection.update", predicate=lambda event: event.data, timeout=60)
subscription = client.subscribe("messages.upsert", maxsize=10, overflow=Overflow.BLOCK)
assert_type(subscription, Subscription)
with subscription as stream:
    for event in stream:
        print(event)
assert_type(len(subscription), int)

client.events(5)  # type: ignore[arg-type]
client.subscribe(overflow="block")  # type: ignore[arg-type]


# Callbacks


@client.on("messages.upsert", predicate=lambda event: not event.message.from_me)
def on_message(event: MessageEvent) -> None:
    """Take one kind of event."""
    if event.message is not None:
        print(event.message.text)


@client.on("connect", "disconnect")
def on_connection(event: LifecycleEvent) -> str:
    """Return something that nobody looks at."""
    return event.reason or ""


@client.on("*", instance=["sales"])
def on_all() -> None:
    """Take nothing."""


client.on("call", callback=print)
assert_type(client.off(on_message), bool)
assert_type(client.run(), None)
# A decorator leaves the function as it is.
assert_type(on_connection(LifecycleEvent(type="connect")), str)

client.on("call", callback="print")  # type: ignore[call-overload]


# Emitting

assert_type(client.emit("sendNode", {"instanceId": "sales"}, namespace="/", timeout=5), None)
client.emit("several", (1, b"bytes"), instance="sales")
client.call("ask", None, timeout=3)

client.emit("sendNode", {}, "sales")  # type: ignore[call-arg]


# Events

parsed = parse_event("messages.upsert", {"data": {}}, namespace="/sales")
assert_type(parsed, Event)
assert_type(parsed.instance, str)
assert_type(parsed.sender, str | None)
assert_type(parsed.received_at, datetime)
assert_type(parsed.to_dict(), dict[str, Any])
assert_type(parsed.to_json(), str)
assert_type(Event.from_dict(parsed.to_dict()), Event)

parsed.type = "call"  # type: ignore[misc]


# REST and errors

assert_type(client.api, Api)

try:
    client.connect()
except AuthenticationError as error:
    print(error)
except ApiError as error:
    assert_type(error.status, int)
    assert_type(error.messages, tuple[str, ...])
except (ConfigError, EvolutionError, TimeoutError):
    pass


def context() -> AbstractContextManager[None]:
    """Return something to enter around each callback."""
    return nullcontext()


Client("https://api.example.com", callback_context=context)
