"""``flask evolution listen``: receive events, run callbacks, send signals."""

from __future__ import annotations

import sys
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from .. import EvolutionError
from ._flask_config import make_listener
from ._listen import EXIT_CODES, Listener, exit_code
from .flask import extension_of


evolution = AppGroup("evolution", help="Events of Evolution API.")


@evolution.command("listen", epilog=EXIT_CODES)
@click.option("--event", "events", multiple=True, metavar="NAME", help="Handle only this event.")
@click.option("--durable", metavar="FILE", help="Keep events in this file until they are handled.")
@click.option("--exit-on-error", is_flag=True, help="End when a callback raises (exit code 70).")
@click.option("--quiet", is_flag=True, help="Do not tell the status.")
def listen(events: tuple[str, ...], durable: str | None, exit_on_error: bool, quiet: bool) -> None:
    """Run the callbacks until SIGTERM or Ctrl-C."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    configured: Any = app.config["EVOLUTION_EVENTS"]
    configured = (configured,) if isinstance(configured, str) else tuple(configured)
    try:
        Listener(
            make_listener(app, durable),
            lambda event: extension_of(app).dispatch(event, app),
            types=events or configured,
            out=None if quiet else sys.stdout,
            exit_on_error=exit_on_error,
        ).run()
    except EvolutionError as exc:
        click.echo(f"{type(exc).__name__}: {exc}", err=True)
        sys.exit(exit_code(exc))
