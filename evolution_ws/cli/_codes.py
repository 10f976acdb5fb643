"""The exit codes of the command."""

from __future__ import annotations

from enum import IntEnum

from ..exceptions import (
    ApiError,
    AuthenticationError,
    ConfigError,
    ConnectError,
    ConnectionLost,
)


class ExitCode(IntEnum):
    """What a script can tell from how a command ended; ``doctor`` has codes of its own."""

    OK = 0
    FAILED = 1
    """It did not work, or what was waited for did not come."""
    USAGE = 2
    """The arguments or the environment cannot work."""
    KEY_REFUSED = 3
    CANNOT_CONNECT = 4
    INTERRUPTED = 130
    """Ctrl-C."""
    BROKEN_PIPE = 141
    """Whoever read the output went away, as in ``| head``."""
    TERMINATED = 143
    """SIGTERM; everything was closed in good order."""


CODES_HELP = """exit codes:
  0 fine   1 failed   2 usage   3 key refused   4 cannot connect
  130 Ctrl-C   141 the reader of the output went away   143 SIGTERM"""


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived; whatever ends cleanly on Ctrl-C does so here, too."""


def code_of(exc: Exception) -> ExitCode:
    """Return the exit code for what ended a command."""
    if isinstance(exc, ApiError):
        by_status = {0: ExitCode.CANNOT_CONNECT, 401: ExitCode.KEY_REFUSED}
        return by_status.get(exc.status, ExitCode.FAILED)
    if isinstance(exc, ConfigError):
        return ExitCode.USAGE
    if isinstance(exc, AuthenticationError):
        return ExitCode.KEY_REFUSED
    if isinstance(exc, (ConnectError, ConnectionLost)):
        return ExitCode.CANNOT_CONNECT
    return ExitCode.FAILED
