"""
A live inbox in one page: conversations arrive, and can be answered.

Run it with the address of your server, or with ``evolution-ws demo`` beside it::

    export EVOLUTION_URL=https://api.example.com EVOLUTION_INSTANCE=sales EVOLUTION_API_KEY=…
    flask --app app run

Everybody who reaches the page reads and writes messages: put your login before it.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone

from flask import Blueprint, Flask, jsonify, render_template, request

from evolution_ws import ApiError
from evolution_ws.integrations.flask import EvolutionWS, event_stream, get_client
from evolution_ws.messages import Message


evolution = EvolutionWS()
inbox = Blueprint("inbox", __name__)

HISTORY = timedelta(days=2)


def create_app() -> Flask:
    """Return the application, configured by EVOLUTION_* in the environment."""
    logging.basicConfig(level=logging.INFO)
    app = Flask(__name__)
    evolution.init_app(app)
    app.register_blueprint(inbox)
    return app


@inbox.get("/")
def index():
    """Show the page; everything else it asks for itself."""
    return render_template("index.html")


@inbox.get("/events")
def events():
    """Stream messages to the page as they come."""
    return event_stream("messages.upsert", "send.message", serialize=shown_event)


@inbox.get("/history")
def history():
    """Return the messages of the last days, for a page that was just opened or missed some."""
    api = get_client().api
    now = datetime.now(timezone.utc)
    found = [
        shown(Message(raw), instance.name)
        for instance in api.instances()
        for raw in api.find_messages(instance.name, now - HISTORY, now + timedelta(minutes=1))
    ]
    return jsonify([message for message in found if message is not None])


@inbox.post("/messages")
def send():
    """Send the page's answer over REST."""
    body = request.get_json()
    instance, chat, text = (str(body.get(key) or "") for key in ("instance", "chat", "text"))
    if not instance or not chat or not text.strip():
        return jsonify(error="instance, chat and text are needed"), 400
    sent = get_client().api.send_text(instance, chat, text)
    return jsonify(shown(Message(sent), instance)), 201


@inbox.errorhandler(ApiError)
def not_done(error):
    """Tell the page why the server did not do it."""
    return jsonify(error=str(error)), 502


@inbox.after_request
def only_own_scripts(response):
    """Let the page load nothing from anywhere else."""
    response.headers["Content-Security-Policy"] = "default-src 'self'"
    return response


def shown_event(event):
    """Return what the page needs of an event."""
    return shown(event.message, event.instance)


def shown(message, instance):
    """Return what the page needs of a message; None for what has no place in a chat."""
    if not message.chat or message.chat == "status@broadcast":
        return None
    return {
        "id": message.id,
        "instance": instance,
        "chat": message.chat,
        "isGroup": message.is_group,
        "name": None if message.from_me else message.push_name,
        "fromMe": message.from_me,
        "kind": message.kind,
        "text": message.text,
        "at": message.timestamp.isoformat() if message.timestamp else None,
    }
