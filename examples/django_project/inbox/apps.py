"""The app of the example."""

from django.apps import AppConfig


class InboxConfig(AppConfig):
    """Stores messages and shows them."""

    name = "inbox"

    def ready(self) -> None:
        """Connect the receivers; nothing connects to the server here."""
        from . import receivers  # noqa: F401
