"""Send a message over REST and wait until the phone has received it."""

import sys

from evolution_ws import Client


number, text = sys.argv[1:3]

with Client.from_env() as client:
    instance = client.instances[0]
    # Subscribe first: the receipt may be faster than the answer to the request.
    with client.subscribe("send.message", "messages.update") as receipts:
        sent = client.api.send_text(instance, number, text)
        for event in receipts.events(timeout=30):
            if event.type == "send.message" and event.message.id == sent["key"]["id"]:
                print("sent", flush=True)
                break
        else:
            sys.exit("no sign of the message within 30 seconds")
