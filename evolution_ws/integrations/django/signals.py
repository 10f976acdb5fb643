"""
The signals that ``manage.py evolution_listen`` sends.

A receiver gets the event, its alias and, of messages, the message::

    @receiver(message_received)
    def store(sender, event, message, alias, **kwargs):
        Message.objects.create(chat=message.chat, text=message.text or "")
"""

from __future__ import annotations

from django.dispatch import Signal

from ... import Event
from .._listen import received_message
from .conf import DEFAULT_ALIAS


__all__ = ["dispatch", "event_received", "message_received"]

event_received = Signal()
"""Every event. Arguments: *event* and *alias*; the sender is the event's class."""

message_received = Signal()
"""
Every message that somebody wrote to the instance, not those it wrote itself.

Arguments: *event*, *message* and *alias*; the sender is the event's class.
"""


def dispatch(event: Event, alias: str = DEFAULT_ALIAS) -> int:
    """
    Send the signals for *event*, in this thread.

    ``evolution_listen`` calls it for each event; tests may call it with an event of
    :mod:`evolution_ws.testing.build`. A receiver that raises is logged by Django and keeps
    no other from its turn.

    Args:
        event:
            What was received.
        alias:
            The entry of ``EVOLUTION_WS`` that it came from.

    Returns:
        The number of receivers that raised.
    """
    answers = event_received.send_robust(type(event), event=event, alias=alias)
    message = received_message(event)
    if message is not None:
        answers += message_received.send_robust(
            type(event), event=event, message=message, alias=alias
        )
    return sum(isinstance(answer, Exception) for _, answer in answers)
