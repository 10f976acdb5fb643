"""The callbacks that a user registered, and how one is called."""

from __future__ import annotations

import enum
import inspect
import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import attrs

from ._hub import Delivered, concerns
from .exceptions import ConfigError
from .lifecycle import LIFECYCLE_TYPES


_log = logging.getLogger("evolution_ws")

Callback = Callable[..., object]
Predicate = Callable[[Any], object]

# Names that an index holds; a server could invent new ones for ever.
_MOST_NAMES = 1_000


@attrs.frozen
class _Registration:
    types: frozenset[str] | None
    callback: Callback
    call: Callable[[Delivered], object]
    instances: frozenset[str] | None
    predicate: Predicate | None

    @property
    def name(self) -> str:
        """Return what the log calls the callback."""
        return getattr(self.callback, "__qualname__", type(self.callback).__name__)

    def wants(self, name: str) -> bool:
        """Return whether events named *name* are for this callback."""
        return name not in LIFECYCLE_TYPES if self.types is None else name in self.types


class Outcome(enum.IntEnum):
    """What became of an event; of several callbacks the greatest counts."""

    NOBODY = 0
    """No callback took it."""
    DONE = 1
    """All that took it returned."""
    FAILED = 2
    """One of them raised."""


class Callbacks:
    """An ordered collection of callbacks. Runs them in the caller's thread."""

    def __init__(
        self,
        context: Callable[[], AbstractContextManager[object]] | None = None,
        on_error: Callable[[Exception, Any], object] | None = None,
    ) -> None:
        self._context = context or nullcontext
        self._on_error = on_error
        self._changing = threading.Lock()
        # Replaced as a whole, like the index that is made from it while events come.
        self._registrations: tuple[_Registration, ...] = ()
        self._by_type: dict[str, tuple[_Registration, ...]] = {}
        self.errors = 0
        """Exceptions that callbacks and predicates raised."""

    def add(
        self,
        types: frozenset[str] | None,
        callback: Callback,
        instances: frozenset[str] | None,
        predicate: Predicate | None,
    ) -> None:
        """
        Register *callback*.

        Raises:
            ConfigError: It can be called neither with one argument nor with none.
        """
        call = _with_one_argument(callback)
        registration = _Registration(types, callback, call, instances, predicate)
        with self._changing:
            self._registrations = (*self._registrations, registration)
            self._by_type = {}

    def remove(self, callback: Callback) -> bool:
        """Remove every registration of *callback*; return whether there was one."""
        with self._changing:
            kept = tuple(r for r in self._registrations if r.callback != callback)
            found = len(kept) != len(self._registrations)
            self._registrations = kept
            self._by_type = {}
        return found

    def after_fork(self) -> None:
        """Take a lock that no thread of the parent holds."""
        self._changing = threading.Lock()

    def __len__(self) -> int:
        return len(self._registrations)

    @property
    def types(self) -> frozenset[str] | None:
        """Return the names that any callback wants; None for all."""
        names: set[str] = set()
        wants_all = False
        for registration in self._registrations:
            if registration.types is None:
                wants_all = True
            else:
                names |= registration.types
        # "Everything" does not include lifecycle events, which somebody else may have named.
        return frozenset(names) if not wants_all else None

    @property
    def lifecycle_types(self) -> frozenset[str]:
        """Return the lifecycle events that any callback wants."""
        return frozenset().union(*(r.types or () for r in self._registrations)) & LIFECYCLE_TYPES

    def run(self, event: Delivered) -> Outcome:
        """Call all callbacks for *event*, in the order of their registration; never raises."""
        registrations = self._by_type.get(event.type)
        outcomes = [
            self._run_one(registration, event)
            for registration in (self._find(event.type) if registrations is None else registrations)
            if registration.instances is None or concerns(event, registration.instances)
        ]
        return max(outcomes, default=Outcome.NOBODY)

    def _find(self, name: str) -> tuple[_Registration, ...]:
        index = self._by_type
        found = tuple(r for r in self._registrations if r.wants(name))
        if len(index) < _MOST_NAMES:
            index[name] = found
        return found

    def _run_one(self, registration: _Registration, event: Delivered) -> Outcome:
        try:
            with self._context():
                if registration.predicate is not None and not registration.predicate(event):
                    return Outcome.NOBODY
                registration.call(event)
                return Outcome.DONE
        except SystemExit:
            self.errors += 1
            # It would end this thread alone, and with it all callbacks.
            _log.error("callback %s called sys.exit(); close the client instead", registration.name)
        except Exception as exc:
            self.errors += 1
            # The traceback holds code and no values: neither key nor message text.
            _log.error("callback %s failed for %s", registration.name, event.type, exc_info=exc)
            self._hand_on(exc, event)
        return Outcome.FAILED

    def _hand_on(self, exc: Exception, event: Delivered) -> None:
        if self._on_error is None:
            return
        try:
            self._on_error(exc, event)
        except Exception as again:
            _log.error("on_error failed for %s", event.type, exc_info=again)


def _with_one_argument(callback: Callback) -> Callable[[Delivered], object]:
    if not callable(callback):
        raise ConfigError(f"a callback has to be callable, which {type(callback).__name__} is not")
    if inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(
        getattr(callback, "__call__", None)  # noqa: B004 - of an object that is callable
    ):
        raise ConfigError("a callback is called and not awaited: write def instead of async def")
    try:
        signature = inspect.signature(callback)
    except (TypeError, ValueError):  # written in C: print() and its like take the event
        return callback
    for arguments in ((None,), ()):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return callback if arguments else lambda event: callback()
    name = getattr(callback, "__qualname__", type(callback).__name__)
    raise ConfigError(f"{name}{signature} has to take the event, or nothing")
