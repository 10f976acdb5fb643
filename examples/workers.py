"""Three threads share the work of one subscription; each event goes to one of them."""

import threading

from evolution_ws import Client


client = Client.from_env(queue_size=0)  # no inbox: everything goes to the subscription
messages = client.subscribe("messages.upsert")


def work(number):
    for event in messages:
        line = f"worker {number}: {event.message.text}\n"
        print(line, end="", flush=True)  # in one piece: three threads print


threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(3)]
for thread in threads:
    thread.start()  # the first one connects the client
for thread in threads:
    thread.join()
