"""``manage.py evolution_listen``: receive events and send the signals."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser, SystemCheckError
from django.db import close_old_connections

from evolution_ws import Client, ConfigError, Event, EvolutionError
from evolution_ws.integrations._listen import EXIT_CODES, Listener, exit_code
from evolution_ws.integrations.django.clients import make_listener
from evolution_ws.integrations.django.conf import DEFAULT_ALIAS, connection
from evolution_ws.integrations.django.signals import dispatch


class Command(BaseCommand):
    """Runs until SIGTERM or Ctrl-C; see :data:`EXIT_CODES` for its exit codes."""

    help = (
        "Receive the events of Evolution API and send the signals event_received and "
        f"message_received, until SIGTERM or Ctrl-C. {EXIT_CODES}"
    )

    # They run in handle(), where wrong settings get an exit code of their own.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--alias", default=DEFAULT_ALIAS, help="entry of EVOLUTION_WS (default: %(default)s)"
        )
        parser.add_argument(
            "--events",
            nargs="+",
            default=None,
            metavar="NAME",
            help="events to handle, such as messages.upsert (default: EVENTS of the setting)",
        )
        parser.add_argument(
            "--durable",
            metavar="FILE",
            help="keep events in this file until they are handled (default: DURABLE of the "
            "setting); what was not handled is delivered again after a restart",
        )
        parser.add_argument(
            "--exit-on-error",
            action="store_true",
            help="end with exit code 70 when a receiver raises, for a supervisor to restart",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Listen; wrong settings and a connection that failed for good end with exit codes."""
        self._check_settings()
        alias: str = options["alias"]
        self.stdout.ending = ""

        def handle_event(event: Event) -> int:
            # A connection that the database dropped would fail for every later event.
            close_old_connections()
            try:
                return dispatch(event, alias)
            finally:
                close_old_connections()

        try:
            client, types = _client(options)
            Listener(
                client,
                handle_event,
                types=types,
                out=None if options["verbosity"] == 0 else self.stdout,
                exit_on_error=options["exit_on_error"],
            ).run()
        except ImproperlyConfigured as exc:
            raise CommandError(str(exc), returncode=exit_code(ConfigError())) from None
        except EvolutionError as exc:
            raise CommandError(f"{type(exc).__name__}: {exc}", returncode=exit_code(exc)) from None

    def _check_settings(self) -> None:
        try:
            self.check(tags=["evolution_ws"])
        except SystemCheckError as exc:
            raise CommandError(str(exc), returncode=exit_code(ConfigError())) from None


def _client(options: dict[str, Any]) -> tuple[Client, tuple[str, ...]]:
    found = connection(options["alias"])
    types = found.events if options["events"] is None else tuple(options["events"])
    return make_listener(found, options["durable"]), types
