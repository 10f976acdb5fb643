"""Print every message that arrives. The address and the key come from EVOLUTION_* variables."""

from evolution_ws import Client


with Client.from_env() as client:
    for event in client.events("messages.upsert"):
        print(event.instance, event.message.push_name, event.message.text, flush=True)
