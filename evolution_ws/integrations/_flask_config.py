"""The configuration of a Flask app, made into clients."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask

from .. import Client, ConfigError
from ._shared import WebClient, web_client


def set_defaults(app: Flask) -> None:
    """Give every key of the configuration a value."""
    for key in ("URL", "INSTANCE", "API_KEY", "DURABLE"):
        name = f"EVOLUTION_{key}"
        app.config.setdefault(name, os.environ.get(name) or None)
    app.config.setdefault("EVOLUTION_EVENTS", ())
    app.config.setdefault("EVOLUTION_OPTIONS", {})


def make_web_client(app: Flask) -> WebClient:
    """
    Make the client that views use; connects nothing.

    Raises:
        ConfigError: The configuration is wrong.
    """
    url, instance, api_key, options = _read(app)
    return web_client(url, instance, api_key, options)


def make_listener(app: Flask, durable: str | None) -> Client:
    """
    Make the client that ``flask evolution listen`` uses; connects nothing.

    Raises:
        ConfigError: The configuration is wrong.
        InboxError: The durable inbox cannot be used.
    """
    url, instance, api_key, options = _read(app)
    file = durable or app.config["EVOLUTION_DURABLE"]
    inbox: dict[str, Any] = {"durable": file, "auto_ack": False} if file else {}
    return Client(url, instance, api_key=api_key, **{**options, **inbox})


def _read(app: Flask) -> tuple[str, Any, Any, dict[str, Any]]:
    config = app.config
    if not config["EVOLUTION_URL"]:
        raise ConfigError(
            "set EVOLUTION_URL, in the app's configuration or in the environment, to the server's "
            "address: https://api.example.com"
        )
    options = config["EVOLUTION_OPTIONS"]
    if not isinstance(options, dict) or {"durable", "auto_ack"} & options.keys():
        raise ConfigError(
            "EVOLUTION_OPTIONS has to be a dict with fields of ClientConfig; the durable inbox is "
            "EVOLUTION_DURABLE, since it belongs to the listener alone"
        )
    instance = config["EVOLUTION_INSTANCE"]
    if isinstance(instance, str):
        instance = [name.strip() for name in instance.split(",") if name.strip()]
        instance = None if instance in ([], ["*"]) else instance
    return config["EVOLUTION_URL"], instance, config["EVOLUTION_API_KEY"] or None, options
