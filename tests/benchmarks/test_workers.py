"""Workers report, are missed with a reason, and fail with their last words."""

from __future__ import annotations

import sys

import pytest

from tests.benchmarks import workers
from tests.benchmarks.job import Job, Tally
from tests.benchmarks.sampling import Sampler
from tests.benchmarks.workers import Unavailable, Worker, WorkerFailed


def with_code(monkeypatch: pytest.MonkeyPatch, code: str) -> Job:
    """Let a worker run this code instead of a client."""
    monkeypatch.setattr(workers, "command_of", lambda job: [sys.executable, "-c", code])
    return Job(peer="somebody")


def test_job_survives_the_command_line() -> None:
    """A job is the same after its way through JSON."""
    job = Job(peer="raw", instances=("a", "b"), options={"extra": 1})

    assert Job.from_json(job.to_json()) == job


def test_result_of_a_worker_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker says after its line came is returned."""
    code = 'import sys; sys.stdin.readline(); print(\'{"say": "result", "result": {"n": 1}}\')'
    with Worker(with_code(monkeypatch, code)) as worker:
        worker.go()
        result = worker.expect("result")

    assert result == {"n": 1}


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        pytest.param(
            'print(\'{"say": "missing", "reason": "x is not installed"}\')',
            Unavailable,
            "x is not installed",
            id="missing",
        ),
        pytest.param("raise SystemExit('broken')", WorkerFailed, "ended: broken", id="failed"),
        pytest.param('print(\'{"say": "warm"}\')', WorkerFailed, "expected result", id="other"),
    ],
)
def test_worker_without_a_result_is_an_error(
    monkeypatch: pytest.MonkeyPatch, code: str, error: type[Exception], text: str
) -> None:
    """A missing package, a crash and a wrong word are told apart."""
    with Worker(with_code(monkeypatch, code)) as worker, pytest.raises(error, match=text):
        worker.expect("result")


def test_tally_finds_what_is_wrong() -> None:
    """Events out of order and attachments with other bytes are counted."""
    tally = Tally(attachments=1)
    for seq, content in ((0, bytes(32)), (2, bytes(32)), (2, b"\0\0\0\2" + bytes(28))):
        data = {"seq": seq, "message": {"messageContextInfo": {"bytes0": content}}}
        tally.add(data)

    assert (tally.seen, tally.disordered, tally.corrupt) == (3, 1, 1)


def test_sampler_sees_the_busy_line() -> None:
    """The line that takes the time comes first in its thread's table."""
    with Sampler() as sampler:
        while sampler.samples < 20:
            sum(range(1000))
    text = sampler.text()

    assert "test_sampler_sees_the_busy_line" in text
    assert text.startswith("MainThread")
