"""The library's log on standard error."""

from __future__ import annotations

import contextlib
import io
import logging

import pytest

from evolution_ws.cli._logs import level_of, logs_shown


@pytest.mark.parametrize(
    ("verbose", "quiet", "level"),
    [
        (0, False, logging.WARNING),
        (1, False, logging.INFO),
        (2, False, logging.DEBUG),
        (2, True, logging.ERROR),
    ],
    ids=["usual", "verbose", "debug", "quiet"],
)
def test_levels_without_a_terminal(
    verbose: int, quiet: bool, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script is told less than a person."""
    monkeypatch.setattr("sys.stderr", io.StringIO())

    assert level == level_of(verbose, quiet)
    assert level_of(0, False, is_calm=True) == logging.ERROR
    assert level_of(1, False, is_calm=True) == logging.INFO


def test_records_are_safe_and_the_logger_is_left_alone() -> None:
    """Records become safe lines; afterwards the logger is as it was before."""
    logger = logging.getLogger("evolution_ws")
    before = (logger.level, logger.propagate, list(logger.handlers))
    stream = io.StringIO()

    with contextlib.redirect_stderr(stream), logs_shown(logging.INFO):
        logger.info("hidden %s", "\x1b[2J")
        logger.debug("not shown")
        try:
            raise ValueError("of a test")
        except ValueError:
            logger.exception("failed")

    first, *rest = stream.getvalue().splitlines()
    assert first == "hidden \\u001b[2J"
    assert rest[-1] == "ValueError: of a test"
    assert before == (logger.level, logger.propagate, list(logger.handlers))
