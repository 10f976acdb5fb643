"""Which share of the work an event belongs to, and who does that share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from ... import ConfigError, Event


__all__ = ["chat_key", "owner_of", "per_chat", "shard_of"]


def per_chat(queue: str, count: int) -> Callable[[Event], str]:
    """
    Return what spreads events over *count* queues, each chat in a queue of its own choice.

    A queue that one worker process empties (``--concurrency 1``) keeps the order of every chat
    in it::

        forward(app, client, task="proj.tasks.handle", queue=per_chat("chats", 4))

    Args:
        queue:
            What the names begin with: ``chats.0``, ``chats.1`` and so on.
        count:
            Number of queues, from 1 on.

    Raises:
        ConfigError: *count* is below 1.
    """
    if count < 1:
        raise ConfigError(f"events need at least 1 queue, not {count}")

    def queue_of(event: Event) -> str:
        return f"{queue}.{shard_of(chat_key(event), count)}"

    return queue_of


def chat_key(event: Event) -> str:
    """
    Return a name for the chat of *event*, for routing keys: a digest that tells no number.

    Events that concern no chat share the name of their instance's.
    """
    return _digest(f"{event.instance}/{_chat_of(event)}").hex()[:16]


def shard_of(name: str, count: int) -> int:
    """Return which of *count* shards *name* belongs to, the same in every process."""
    return int.from_bytes(_digest(name)[:8], "big") % count


def owner_of(shard: int, members: Iterable[str]) -> str | None:
    """
    Return which of *members* has *shard*; None when there are none.

    The highest of all digests wins: when a member goes, its shards alone move.
    """
    return max(members, key=lambda member: _digest(f"{member}/{shard}"), default=None)


def _digest(text: str) -> bytes:
    # Names of instances are anything that JSON carries, halves of surrogate pairs included.
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def _chat_of(event: Event) -> str:
    """Return the jid of the chat, as far as the event tells."""
    # The view knows the phone number behind a LID; where there is no view, a glance has to do.
    chat = getattr(getattr(event, "message", event), "chat", None)
    if isinstance(chat, str):
        return chat
    data = event.data[0] if isinstance(event.data, list) and event.data else event.data
    if not isinstance(data, dict):
        return ""
    key = data.get("key")
    place = key if isinstance(key, dict) else data
    return str(place.get("remoteJid") or place.get("id") or "")
