"""Callbacks: several for one event, a filter, and the connection itself."""

from evolution_ws import Client


client = Client.from_env()


@client.on("messages.upsert", predicate=lambda event: not event.message.from_me)
def on_message(event):
    print("message:", event.message.text, flush=True)


@client.on("messages.update", "messages.edited")
def on_change(event):
    print("changed:", event.message_id, flush=True)


@client.on("connect")
def on_connect():
    print("connected", flush=True)


@client.on("disconnect")
def on_disconnect(event):
    print("disconnected:", event.reason, flush=True)


client.run()  # until Ctrl-C
