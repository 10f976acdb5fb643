"""The example that prints a chat log."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from evolution_ws.testing import build


ROOT = Path(__file__).parent.parent


def test_chat_log_of_lines() -> None:
    """Messages among the events on stdin are printed, one a line, without control characters."""
    at = 1767323045
    events = [
        build.connection(),
        build.text("Bom dia!\n\x1b[31mVocê?", instance="sales", at=at),
        build.text("Sim", instance="sales", sent=True, at=at),
        build.audio(instance="sales", push_name=None, at=at),
    ]
    environment = {key: value for key, value in os.environ.items() if key != "EVOLUTION_URL"}

    done = subprocess.run(
        [sys.executable, "-X", "utf8", ROOT / "examples" / "chat_log.py"],
        input="\n".join(event.to_json() for event in events) + "\n\n",
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )

    assert done.stdout.splitlines() == [
        "2026-01-02 03:04 sales Ana: Bom dia!  [31mVocê?",
        "2026-01-02 03:04 sales me: Sim",
        "2026-01-02 03:04 sales 5511900000001: audio",
    ]
