"""Every event of every instance, from a server with WEBSOCKET_GLOBAL_EVENTS=true."""

from collections import Counter

from evolution_ws import Client


counts = Counter()

with Client.from_env(instance="*") as client:
    for event in client.events():
        counts[event.instance, event.type] += 1
        print(f"{event.instance} {event.type} ({counts[event.instance, event.type]})", flush=True)
