"""What a check found, and how findings are shown."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Sequence
from enum import Enum

import attrs

from ._output import Output, escaped


class Status(str, Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@attrs.frozen
class Finding:
    """One line of a diagnosis."""

    check: str
    """What was looked at."""
    status: Status
    evidence: str
    """What was seen, without anything secret."""
    remedy: str = ""
    """What to do about it; empty when all is well."""


def ok(check: str, evidence: str) -> Finding:
    """Return the finding that all is well."""
    return Finding(check, Status.OK, evidence)


def warning(check: str, evidence: str, remedy: str) -> Finding:
    """Return the finding of something that may be the cause of trouble, or become it."""
    return Finding(check, Status.WARNING, evidence, remedy)


def failure(check: str, evidence: str, remedy: str) -> Finding:
    """Return the finding of something that keeps events from arriving."""
    return Finding(check, Status.FAILURE, evidence, remedy)


def worst(findings: Sequence[Finding]) -> Status:
    """Return the worst status among *findings*; ok when there are none."""
    order = list(Status)
    return max((finding.status for finding in findings), key=order.index, default=Status.OK)


def as_json(findings: Sequence[Finding]) -> str:
    """Return *findings* as one JSON document."""
    listed = [
        {
            "check": finding.check,
            "status": finding.status.value,
            "evidence": finding.evidence,
            "remedy": finding.remedy,
        }
        for finding in findings
    ]
    return json.dumps({"status": worst(findings).value, "findings": listed}, ensure_ascii=False)


_MARKS = {Status.OK: "ok", Status.WARNING: "warning", Status.FAILURE: "FAILURE"}
_STYLES = {
    Status.OK: ("green",),
    Status.WARNING: ("yellow",),
    Status.FAILURE: ("bold", "red"),
}
_INDENT = 21


class Table:
    """Shows findings as they come."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._width = max(40, min(110, shutil.get_terminal_size().columns) - _INDENT)

    def show(self, finding: Finding) -> None:
        """Write the lines of one finding."""
        mark = self._output.styled(f"{_MARKS[finding.status]:<8}", *_STYLES[finding.status])
        head = f"{mark} {escaped(finding.check):<12}"
        for line in textwrap.wrap(escaped(finding.evidence), self._width) or [""]:
            self._output.line(f"{head}{line}")
            head = " " * _INDENT
        arrow = "→ "
        for line in textwrap.wrap(escaped(finding.remedy), self._width - 2):
            self._output.line(head + self._output.styled(arrow + line, "bold"))
            head, arrow = " " * _INDENT, "  "

    def conclude(self, findings: Sequence[Finding]) -> None:
        """Write what it all amounts to."""
        bad = [one for one in findings if one.status is Status.FAILURE]
        doubtful = [one for one in findings if one.status is Status.WARNING]
        self._output.line()
        if bad:
            text = f"The cause, most likely: {bad[0].evidence}. {bad[0].remedy}."
            if all(one.check != "namespace" for one in findings):
                text += " What comes after it could not be checked yet: run doctor again then."
        elif doubtful:
            text = f"Nothing is broken; {len(doubtful)} thing(s) to look at."
        else:
            text = "All is well."
        for line in textwrap.wrap(escaped(text), self._width + _INDENT):
            self._output.line(self._output.styled(line, "bold"))
