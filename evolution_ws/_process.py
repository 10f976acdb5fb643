"""What happens to clients when their process ends, forks or is taken over by gevent."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import weakref
from typing import Protocol

from .exceptions import ConfigError


class Inhabitant(Protocol):
    """What has to be told of the process's events: the core of a client."""

    def close(self, timeout: float) -> bool:
        """End within *timeout* seconds."""

    def after_fork(self) -> None:
        """Become new and unconnected, without touching what the parent process uses."""


_log = logging.getLogger("evolution_ws")
_has_warned = False

# Enough to flush and to say goodbye; a dead server must not hold the exit up for long.
_TIMEOUT = 3.5

_all: weakref.WeakSet[Inhabitant] = weakref.WeakSet()
_started: weakref.WeakSet[Inhabitant] = weakref.WeakSet()


def register(inhabitant: Inhabitant) -> None:
    """Tell *inhabitant* of forks, as long as it exists."""
    _all.add(inhabitant)


def close_at_exit(inhabitant: Inhabitant) -> None:
    """Close *inhabitant* when the interpreter exits, if it still exists then."""
    _started.add(inhabitant)


def is_closed(inhabitant: Inhabitant) -> None:
    """Forget what :func:`close_at_exit` was told."""
    _started.discard(inhabitant)


@atexit.register
def _close_all() -> None:
    for inhabitant in list(_started):
        inhabitant.close(_TIMEOUT)


def _after_fork() -> None:
    _started.clear()
    for inhabitant in list(_all):
        inhabitant.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _is_in_a_greenlet() -> bool:
    greenlet = sys.modules.get("greenlet")
    if greenlet is None or "gevent" not in sys.modules:
        return False
    return greenlet.getcurrent().parent is not None


def gevent_state() -> bool:
    """
    Return whether gevent has replaced the standard library's blocking parts.

    Raises:
        ConfigError: It has replaced some and left others, which loses wake-ups.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None:
        return False
    patched = {name: monkey.is_module_patched(name) for name in ("socket", "threading", "queue")}
    if len(set(patched.values())) > 1:
        left = ", ".join(name for name, done in patched.items() if not done)
        raise ConfigError(
            f"gevent has patched only a part of the standard library (not {left}); call "
            "gevent.monkey.patch_all() before everything else"
        )
    return bool(patched["socket"])


def check_gevent(was_patched: bool) -> None:
    """
    Check that gevent has not patched the process since a client was made.

    Warns, once in a process, in a greenlet of one that is not patched at all.

    Raises:
        ConfigError: It has; the client's locks and queues are the wrong ones.
    """
    global _has_warned
    if not was_patched and not _has_warned and _is_in_a_greenlet():
        _has_warned = True
        _log.warning(
            "gevent is in use without its patches: a greenlet that waits for an event holds all "
            "others up. Call gevent.monkey.patch_all() at the very top of the program"
        )
    if gevent_state() != was_patched:
        raise ConfigError(
            "gevent.monkey.patch_all() was called after this client was made; patch first, at "
            "the very top of the program, then import and make clients"
        )
