"""
Print a chat log, of events in JSON lines on stdin or straight from the server.

The latter when EVOLUTION_URL is set; EVOLUTION_API_KEY and EVOLUTION_INSTANCE go with it::

    evolution-ws listen --format json | python chat_log.py
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable

from evolution_ws.events import Event, MessageEvent


def print_log(events: Iterable[Event]) -> None:
    """Print one line for each message among *events*."""
    for event in events:
        if isinstance(event, MessageEvent):
            message = event.message
            when = message.timestamp or event.received_at
            who = "me" if message.from_me else message.push_name or message.phone or "?"
            line = f"{when:%Y-%m-%d %H:%M} {event.instance} {who}: {message.text or message.kind}"
            # Strangers write here: what they write must not command the terminal.
            print("".join(char if char.isprintable() else " " for char in line), flush=True)


if __name__ == "__main__":
    if "EVOLUTION_URL" in os.environ:
        from evolution_ws import Client

        with Client.from_env() as client:
            print_log(client.events())
    else:
        print_log(Event.from_dict(json.loads(line)) for line in sys.stdin if line.strip())
