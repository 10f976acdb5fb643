"""The shapes in which events are written: JSON, lines for people, or a template of one's own."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import events
from ..events import Event
from ..exceptions import ConfigError
from ._describe import describe
from ._output import Output, escaped


FORMAT_HELP = (
    "auto (lines for people on a terminal, else JSON), json, text, or a template such as "
    "'{received_at:%%H:%%M} {message.push_name}: {message.text}' (what is not there is empty)"
)


def event_writer(spec: str, output: Output) -> Callable[[Event], None]:
    """
    Return the function that writes events in the form that *spec* asks for.

    Args:
        spec:
            ``auto``, ``json``, ``text``, or a template with fields of an event in braces.
        output:
            Where to write.

    Raises:
        ConfigError: The template cannot be read.
    """
    if spec == "json" or (spec == "auto" and not output.is_terminal):
        return lambda event: output.json(event.to_json())
    if spec in ("auto", "text"):
        return lambda event: output.line(text_line(event, output))
    template = _Template(spec)
    return lambda event: output.line(template.fill(event))


def text_line(event: Event, output: Output) -> str:
    """Return one line about *event*, for people."""
    when = event.received_at.astimezone().strftime("%H:%M:%S")
    return "  ".join(
        [
            output.styled(when, "dim"),
            output.styled(escaped(event.instance), "cyan"),
            output.styled(escaped(event.type), "green"),
            describe(event),
        ]
    )


class _Template(string.Formatter):
    def __init__(self, spec: str) -> None:
        self._spec = spec
        try:
            fields = [name for _, name, _, _ in self.parse(spec) if name is not None]
        except ValueError as exc:
            raise ConfigError(f"--format cannot be read: {exc}") from None
        if not fields:
            raise ConfigError(
                f"--format is auto, json, text, or has fields such as {{type}} in it, not {spec!r}"
            )
        for name in fields:
            first = name.partition(".")[0].partition("[")[0]
            if first not in _FIELDS or "._" in name:
                known = ", ".join(sorted(_FIELDS))
                raise ConfigError(f"--format cannot show {name!r}; there are {known}")

    def fill(self, event: Event) -> str:
        """Return the line for *event*."""
        try:
            return escaped(self.vformat(self._spec, (), {"event": event}))
        except ValueError as exc:
            raise ConfigError(f"--format cannot be used: {exc}") from None

    def get_field(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        try:
            return super().get_field(f"event.{name}", args, kwargs)
        except (AttributeError, KeyError, IndexError, TypeError):
            return "", name  # this kind of event has no such thing

    def format_field(self, value: Any, format_spec: str) -> str:
        return "" if value is None or value == "" else str(format(value, format_spec))


def _fields() -> frozenset[str]:
    """Return what events have, of whatever kind."""
    kinds = [kind for kind in map(vars(events).get, events.__all__) if isinstance(kind, type)]
    return frozenset(
        name
        for kind in kinds
        if issubclass(kind, Event)
        for ancestor in kind.__mro__[:-1]
        for name in (*vars(ancestor), *ancestor.__annotations__)
        if not name.startswith("_") and not callable(getattr(kind, name, None))
    ) - {"api_key", "types"}


_FIELDS = _fields()
