"""Many instances over one connection: EVOLUTION_INSTANCE=sales,support."""

from evolution_ws import Client


with Client.from_env() as client:
    for namespace, state in client.namespaces.items():
        print(namespace, state, flush=True)
    for event in client.events():
        print(f"{event.instance}: {event.type}", flush=True)
