"""
Evolution API's events in Django: an app to install.

Settings::

    INSTALLED_APPS = [..., "evolution_ws.integrations.django"]
    EVOLUTION_WS = {
        "URL": "https://api.example.com",
        "INSTANCE": "sales",
        "API_KEY": os.environ["EVOLUTION_API_KEY"],
    }

``manage.py evolution_listen`` receives and sends the signals; views use
:func:`get_client` and :func:`event_stream`. Nothing connects before one of them is used.
"""

from __future__ import annotations


try:
    import django as _django  # noqa: F401 - looked for, to say what is missing
except ModuleNotFoundError as exc:
    raise ModuleNotFoundError(
        "Django is not installed: pip install 'evolution-ws[django]'", name=exc.name
    ) from None

from .clients import close_clients, get_client
from .signals import dispatch, event_received, message_received
from .streams import event_stream


__all__ = [
    "close_clients",
    "dispatch",
    "event_received",
    "event_stream",
    "get_client",
    "message_received",
]
