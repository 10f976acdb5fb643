"""The app for ``INSTALLED_APPS``."""

from __future__ import annotations

from django.apps import AppConfig


class EvolutionWsConfig(AppConfig):
    """Registers the system checks; connects nothing."""

    name = "evolution_ws.integrations.django"
    label = "evolution_ws"
    verbose_name = "Evolution API events"

    def ready(self) -> None:
        """Register the checks, and the receiver that notices changed settings in tests."""
        from django.core.checks import register
        from django.core.signals import setting_changed

        from .checks import check_settings
        from .clients import forget_changed

        register(check_settings, "evolution_ws")
        setting_changed.connect(forget_changed, dispatch_uid="evolution_ws.forget_changed")
