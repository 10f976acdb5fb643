"""What the library logs, on standard error while a command runs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..client import Client
from ._output import Output, escaped


class _Formatter(logging.Formatter):
    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if record.exc_info is None:
            text = escaped(text)
        styles = ("yellow",) if record.levelno >= logging.WARNING else ("dim",)
        return self._output.styled(text, *styles)


@contextmanager
def logs_shown(level: int) -> Iterator[None]:
    """Show records of the library from *level* on, and leave its logger as it was."""
    logger = logging.getLogger("evolution_ws")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(Output(sys.stderr)))
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    try:
        yield
    finally:
        logger.setLevel(before[0])
        logger.propagate = before[1]
        logger.removeHandler(handler)


@contextmanager
def connected(client: Client) -> Iterator[Client]:
    """
    Connect *client* for the length of a block, without warnings of the first attempt.

    They would say what the exception says, and promise another attempt.

    Raises:
        EvolutionError: The first attempt failed.
    """

    def is_news(record: logging.LogRecord) -> bool:
        return record.levelno != logging.WARNING

    logger = logging.getLogger("evolution_ws")
    logger.addFilter(is_news)
    try:
        client.connect()
    except BaseException:
        client.close()
        raise
    finally:
        logger.removeFilter(is_news)
    with client:
        yield client


def level_of(verbose: int, quiet: bool, is_calm: bool = False) -> int:
    """
    Return the level to show: a person at a terminal is told more than a script.

    Args:
        verbose:
            How often more was asked for.
        quiet:
            Whether less was asked for.
        is_calm:
            Whether the command tells in its own way what the log would.
    """
    if quiet or (is_calm and not verbose):
        return logging.ERROR
    if verbose > 1:
        return logging.DEBUG
    return logging.INFO if verbose or sys.stderr.isatty() else logging.WARNING
