"""
A Celery app whose task handles WhatsApp messages, and answers "ping".

README.md beside it says how to run it. EVOLUTION_URL, EVOLUTION_INSTANCE and
EVOLUTION_API_KEY say where the server is.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.utils.log import get_task_logger

from evolution_ws import Event
from evolution_ws.integrations.celery import EventTask, get_client


log = get_task_logger(__name__)

app = Celery("shop", broker=os.environ.get("CELERY_BROKER_URL", "filesystem://"))
app.conf.broker_connection_retry_on_startup = True

if app.conf.broker_url == "filesystem://":
    # Files in a folder: enough to try things out on one machine, without any server.
    folder = Path(os.environ.get("SHOP_FOLDER", "broker"))
    folder.mkdir(parents=True, exist_ok=True)
    app.conf.broker_transport_options = {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(folder / "control"),
    }


@app.task(base=EventTask, name="shop.handle")  # type: ignore[untyped-decorator] # Celery ships no types
def handle(written: dict[str, Any]) -> None:
    """Handle one event."""
    event = Event.from_dict(written)
    message = getattr(event, "message", None)
    if message is None or message.from_me:
        return
    log.info("%s wrote to %s: %s", message.push_name or "somebody", event.instance, message.kind)
    if (message.text or "").strip().lower() == "ping":
        get_client().reply(event, "pong")
