"""How findings are put together and shown."""

from __future__ import annotations

import io
import json

import pytest

from evolution_ws.cli._findings import (
    Finding,
    Status,
    Table,
    as_json,
    failure,
    ok,
    warning,
    worst,
)
from evolution_ws.cli._output import Output


GOOD = ok("tcp", "connected")
DOUBTFUL = warning("events", "none", "Wait longer")
BAD = failure("key", "the \x1b[2Jkey is wrong", "Take the right one")


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([], Status.OK),
        ([GOOD], Status.OK),
        ([DOUBTFUL, GOOD], Status.WARNING),
        ([BAD, DOUBTFUL, GOOD], Status.FAILURE),
    ],
    ids=["none", "ok", "warning", "failure"],
)
def test_worst(findings: list[Finding], status: Status) -> None:
    """The worst finding counts."""
    assert status is worst(findings)


def test_as_json() -> None:
    """The document has the worst status and each finding."""
    document = json.loads(as_json([GOOD, BAD]))

    assert document["status"] == "failure"
    assert document["findings"][0] == {
        "check": "tcp",
        "status": "ok",
        "evidence": "connected",
        "remedy": "",
    }


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([GOOD], "All is well."),
        ([GOOD, DOUBTFUL], "1 thing(s) to look at"),
        ([DOUBTFUL, BAD], "The cause, most likely: the \\u001b[2Jkey is wrong"),
    ],
    ids=["ok", "warning", "failure"],
)
def test_table(findings: list[Finding], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines fit the width, remedies are below, the conclusion comes last, nothing is unsafe."""
    monkeypatch.setenv("COLUMNS", "70")
    stream = io.StringIO()
    table = Table(Output(stream))

    for finding in [*findings, warning("long", "word " * 40, "advice " * 40)]:
        table.show(finding)
    table.conclude(findings)

    shown = stream.getvalue()
    assert said in " ".join(shown.split())
    assert "\x1b" not in shown
    assert all(len(line) <= 70 for line in shown.splitlines())
    assert shown.count("→") == 1 + sum(bool(one.remedy) for one in findings)
