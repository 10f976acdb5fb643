"""Send events to a server that listens to them; an Evolution server knows sendNode only."""

from evolution_ws import Client


with Client.from_env() as client:
    for number in range(3):
        # Waits up to ten seconds if the connection is being re-established.
        client.emit("greeting", {"number": number, "raw": b"\x00\x01"}, namespace="/", timeout=10)
# Leaving the block sends what is still on its way.
print("sent", flush=True)
