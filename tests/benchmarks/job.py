"""What a worker process is asked to do, and what it counts."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any


EVENT = "messages.upsert"
API_KEY = "bench"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One measurement of one client; it travels to the worker as JSON."""

    peer: str
    """Name of the client, see the registry of peers."""

    url: str = ""
    """Address of the server."""

    kind: str = "consume"
    """What is measured: consume, memory, first_event, emit or profile."""

    instances: tuple[str, ...] = ("bench",)
    """Instances to listen to, over one connection."""

    warmup: int = 50
    """Events that come before the measurement."""

    count: int = 1000
    """Events that reach the consumer, or emits of each thread."""

    attachments: int = 0
    """Binary attachments that each event has to carry."""

    idle: float = 10.0
    """Seconds without an event after which the rest counts as lost."""

    hogs: int = 0
    """CPU-bound threads beside the client, in the same process."""

    orjson: bool = True
    """False hides orjson from the client."""

    api_key: str = API_KEY
    """Shown to the server."""

    options: dict[str, Any] = field(default_factory=dict)
    """For the one peer or kind that knows them."""

    def to_json(self) -> str:
        """Return the job as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Restore a job from JSON."""
        fields = json.loads(text)
        return cls(**{**fields, "instances": tuple(fields["instances"])})


class Tally:
    """
    Looks at each event as it comes: its number, its attachments, its age.

    All clients pay the same for it, so it takes part in what is measured.
    """

    def __init__(self, attachments: int = 0) -> None:
        self.seen = 0
        self.disordered = 0
        self.corrupt = 0
        self.latencies: list[float] = []
        self._attachments = attachments

    def add(self, data: Any) -> None:
        """Count one event by the data of its envelope."""
        if data["seq"] != self.seen:
            self.disordered += 1
        if self._attachments and not self._is_intact(data):
            self.corrupt += 1
        if "sent" in data:
            self.latencies.append(time.monotonic() - data["sent"])
        self.seen += 1

    def _is_intact(self, data: Any) -> bool:
        context = data["message"]["messageContextInfo"]
        head = data["seq"].to_bytes(4, "big")
        return all(
            isinstance(value := context[f"bytes{index}"], bytes)
            and value[:5] == head + bytes([index])
            for index in range(self._attachments)
        )
