"""How the tests read what doctor found."""

from __future__ import annotations

import json

from attrs import frozen

from tests.cli.tools import run


KEY = "invented-key"
OTHER_KEY = "wrong-key"


@frozen
class Diagnosis:
    """What doctor found, and how it ended."""

    code: int
    findings: list[dict[str, str]]

    def of(self, check: str) -> dict[str, str]:
        """Return the only finding of *check*."""
        [found] = [one for one in self.findings if one["check"] == check]
        return found

    def statuses(self) -> dict[str, str]:
        """Return the status of each check."""
        return {one["check"]: one["status"] for one in self.findings}

    @property
    def cause(self) -> tuple[str, str, str]:
        """The first failure: check, evidence and remedy."""
        bad = next(one for one in self.findings if one["status"] == "failure")
        return bad["check"], bad["evidence"], bad["remedy"]

    @property
    def has_failed(self) -> bool:
        """Whether there is a failure among the findings."""
        return any(one["status"] == "failure" for one in self.findings)


def diagnose(url: str, *argv: object, instance: str = "sales", wait: float = 0.3) -> Diagnosis:
    """Run doctor in this process, and check what holds of every diagnosis."""
    done = run("doctor", "--json", "--url", url, "-i", instance, "--wait", wait, *argv)
    assert KEY not in done.out + done.err
    assert OTHER_KEY not in done.out + done.err
    document = json.loads(done.out)
    findings = document["findings"]
    assert all(bool(one["remedy"]) == (one["status"] != "ok") for one in findings), findings
    assert {"ok": 0, "warning": 1, "failure": 2}[document["status"]] == done.code
    return Diagnosis(done.code, findings)
