"""What is kept of a message."""

from django.db import models


class Message(models.Model):
    """One message, written by somebody else or by the instance."""

    event_id = models.CharField(max_length=200, unique=True)
    instance = models.CharField(max_length=100)
    chat = models.CharField(max_length=100)
    author = models.CharField(max_length=100, blank=True)
    text = models.TextField(blank=True)
    from_me = models.BooleanField(default=False)
    sent_at = models.DateTimeField()

    class Meta:
        """Oldest first."""

        ordering = ("sent_at", "pk")
