"""What the tests of the web integrations have in common."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs

import evolution_ws.integrations


def import_copy(path: str) -> None:
    """Run a module of the integrations once more, as an import of it would."""
    file = Path(evolution_ws.integrations.__path__[0]) / path
    spec = importlib.util.spec_from_file_location("evolution_ws.integrations.copy", file)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


@attrs.frozen
class Frame:
    """One message of a stream of server-sent events, as a browser understands it."""

    event: str = "message"
    data: Any = None
    id: str | None = None
    retry: int | None = None
    is_comment: bool = False


def parse_frames(chunks: Iterable[bytes]) -> Iterator[Frame]:
    """Yield the messages of a stream, whatever pieces it comes in."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        while b"\n\n" in rest:
            block, _, rest = rest.partition(b"\n\n")
            yield _parse(block.decode())


def _parse(block: str) -> Frame:
    fields: dict[str, str] = {}
    for line in block.split("\n"):
        name, _, text = line.partition(": ")
        fields[name] = text
    return Frame(
        event=fields.get("event", "message"),
        data=json.loads(fields["data"]) if "data" in fields else None,
        id=fields.get("id"),
        retry=int(fields["retry"]) if "retry" in fields else None,
        is_comment="" in fields,
    )


def next_event(frames: Iterator[Frame], where: Callable[[Frame], object] | None = None) -> Frame:
    """Return the next Evolution event of *frames*, past states, comments and retries."""
    for frame in frames:
        if frame.event == "message" and frame.data is not None and (where is None or where(frame)):
            return frame
    raise AssertionError("the stream ended")


def next_state(frames: Iterator[Frame], state: str) -> Frame:
    """Return the frame that tells of *state*."""
    for frame in frames:
        if frame.event == "state" and frame.data["state"] == state:
            return frame
    raise AssertionError("the stream ended")
