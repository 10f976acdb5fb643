"""What happens with events; ``manage.py evolution_listen`` calls this."""

from django.dispatch import receiver

from evolution_ws.events import MessageEvent
from evolution_ws.integrations.django import event_received

from .models import Message


@receiver(event_received, sender=MessageEvent)
def store(event, **kwargs):
    """Keep the message; one that is delivered again after a gap is the same row."""
    message = event.message
    Message.objects.get_or_create(
        event_id=event.id,
        defaults={
            "instance": event.instance,
            "chat": message.chat or "",
            "author": message.push_name or "",
            "text": message.text or "",
            "from_me": message.from_me,
            "sent_at": message.timestamp or event.received_at,
        },
    )
