"""The callbacks that a user registered: which run, in which order, and what their errors do."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from evolution_ws import ConfigError, Event, LifecycleEvent
from evolution_ws._callbacks import Callbacks, Outcome


CALL, CHAT = Event("call", "sales", {"n": 1}), Event("chats.set", "support")
DOWN = LifecycleEvent(type="disconnect", reason="why")


def add(
    callbacks: Callbacks,
    callback: Callable[..., object],
    types: set[str] | None = None,
    instances: set[str] | None = None,
    predicate: Callable[[Any], object] | None = None,
) -> None:
    """Register a callback."""
    callbacks.add(
        None if types is None else frozenset(types),
        callback,
        None if instances is None else frozenset(instances),
        predicate,
    )


def _answer(takes: bool, event: object) -> bool:
    return takes


def run_all(callbacks: Callbacks) -> None:
    """Run callbacks for one event of each kind."""
    for event in (CALL, CHAT, DOWN):
        callbacks.run(event)


@pytest.mark.parametrize(
    ("types", "instances", "expected"),
    [
        pytest.param(None, None, [CALL, CHAT], id="all of the wire"),
        pytest.param({"call"}, None, [CALL], id="one type"),
        pytest.param({"call", "disconnect"}, None, [CALL, DOWN], id="type and lifecycle"),
        pytest.param(None, {"support"}, [CHAT], id="one instance"),
        pytest.param({"call", "disconnect"}, {"x"}, [DOWN], id="lifecycle of one instance"),
    ],
)
def test_a_callback_gets_what_it_was_registered_for(
    types: set[str] | None, instances: set[str] | None, expected: list[Any]
) -> None:
    """Types and instances both have to match."""
    callbacks, got = Callbacks(), list[Any]()
    add(callbacks, got.append, types, instances)

    run_all(callbacks)

    assert got == expected


def test_a_predicate_gets_the_event_and_decides() -> None:
    """It is asked only where everything else matches."""
    callbacks, got, asked = Callbacks(), list[Any](), list[Any]()

    def predicate(event: Any) -> object:
        asked.append(event)
        return event.instance == "sales"

    add(callbacks, got.append, {"call", "disconnect"}, predicate=predicate)

    run_all(callbacks)

    assert (asked, got) == ([CALL, DOWN], [CALL])


def test_callbacks_run_in_the_order_of_their_registration() -> None:
    """Several may have the same event, and one callback may be registered twice."""
    callbacks, got = Callbacks(), list[str]()
    first: Callable[[], None] = lambda: got.append("first")  # noqa: E731
    add(callbacks, first)
    add(callbacks, lambda: got.append("second"), {"call"})
    add(callbacks, first, {"call"})

    callbacks.run(CALL)

    assert (got, len(callbacks)) == (["first", "second", "first"], 3)


class _Object:
    """Something callable with methods of every kind."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def __call__(self, event: Any) -> None:
        self.got.append(event)

    def method(self, event: Any) -> None:
        self.got.append(event)

    def none(self) -> None:
        self.got.append(None)


def _makers() -> dict[str, tuple[Callable[[_Object], Callable[..., object]], list[Any]]]:
    return {
        "object": (lambda target: target, [CALL]),
        "method": (lambda target: target.method, [CALL]),
        "no argument": (lambda target: target.none, [None]),
        "optional argument": (lambda target: lambda event=None: target.got.append(event), [CALL]),
        "any arguments": (lambda target: lambda *args: target.got.extend(args), [CALL]),
        "keywords only": (lambda target: lambda **more: target.got.append(more), [{}]),
        "partial": (lambda target: functools.partial(_Object.method, target), [CALL]),
        "written in C": (lambda target: target.got.append, [CALL]),
        "without signature": (lambda target: max, []),
    }


@pytest.mark.parametrize("kind", _makers())
def test_a_callback_takes_the_event_or_nothing(kind: str) -> None:
    """Whatever can be called with one argument gets the event, the rest is called without."""
    target, callbacks = _Object(), Callbacks()
    make, expected = _makers()[kind]
    add(callbacks, make(target))

    callbacks.run(CALL)

    assert target.got == expected


async def _coroutine(event: Any) -> None:
    """Stand for a callback of asyncio."""


class _AsyncObject:
    async def __call__(self, event: Any) -> None:
        """Stand for an object that is awaited."""


@pytest.mark.parametrize(
    ("callback", "words"),
    [
        pytest.param(None, "NoneType is not", id="None"),
        pytest.param("print", "str is not", id="text"),
        pytest.param(lambda a, b: None, "has to take the event, or nothing", id="two arguments"),
        pytest.param(lambda *, a: None, "has to take the event, or nothing", id="keyword"),
        pytest.param(_coroutine, "def instead of async def", id="coroutine"),
        pytest.param(_AsyncObject(), "def instead of async def", id="object with a coroutine"),
    ],
)
def test_what_cannot_be_called_is_refused_at_once(callback: Any, words: str) -> None:
    """The mistake shows where it is made, not at the first event."""
    callbacks = Callbacks()

    with pytest.raises(ConfigError, match=words):
        add(callbacks, callback)

    assert len(callbacks) == 0


def test_remove_takes_every_registration_of_a_callback() -> None:
    """Bound methods are found as well; the others stay."""
    callbacks, target, got = Callbacks(), _Object(), list[Any]()
    add(callbacks, target.method, {"call"})
    add(callbacks, got.append)
    add(callbacks, target.method)

    assert callbacks.remove(target.method) is True
    assert callbacks.remove(target.method) is False
    callbacks.run(CALL)

    assert (target.got, got, len(callbacks)) == ([], [CALL], 1)


def test_a_callback_may_register_and_remove_callbacks() -> None:
    """The change holds from the next event on."""
    callbacks, got = Callbacks(), list[str]()

    def once() -> None:
        got.append("once")
        callbacks.remove(once)
        add(callbacks, lambda: got.append("later"))

    add(callbacks, once)

    callbacks.run(CALL)
    callbacks.run(CALL)

    assert got == ["once", "later"]


def test_the_index_of_names_is_limited() -> None:
    """A server that invents names for ever fills no memory, and is served all the same."""
    callbacks, got = Callbacks(), list[Any]()
    add(callbacks, got.append)

    for number in range(1100):
        callbacks.run(Event(f"name-{number}", "sales"))

    assert (len(got), len(callbacks._by_type)) == (1100, 1000)


def test_the_names_of_all_callbacks_are_known() -> None:
    """So that nothing is decoded which no callback wants."""
    callbacks = Callbacks()
    found = [(callbacks.types, callbacks.lifecycle_types)]

    add(callbacks, print, {"call", "gap"})
    found.append((callbacks.types, callbacks.lifecycle_types))
    add(callbacks, print)
    found.append((callbacks.types, callbacks.lifecycle_types))

    gap = frozenset({"gap"})
    assert found == [
        (frozenset(), frozenset()),
        (frozenset({"call", "gap"}), gap),
        (None, gap),
    ]


# Errors


def test_an_error_is_logged_counted_and_handed_on(caplog: pytest.LogCaptureFixture) -> None:
    """It stops neither the other callbacks nor the next event."""
    handed: list[tuple[Exception, Any]] = []
    callbacks, got = Callbacks(on_error=lambda *args: handed.append(args)), list[Any]()
    error = KeyError("oops")

    def fail() -> None:
        raise error

    add(callbacks, fail)
    add(callbacks, got.append)

    callbacks.run(CALL)
    callbacks.run(CHAT)

    assert (callbacks.errors, got, handed) == (2, [CALL, CHAT], [(error, CALL), (error, CHAT)])
    first = caplog.records[0]
    assert first.levelno == logging.ERROR
    assert first.getMessage().startswith("callback test_an_error_is_logged")
    assert first.getMessage().endswith("fail failed for call")
    assert first.exc_info is not None
    assert first.exc_info[1] is error


def test_an_error_of_a_predicate_counts_as_one_of_its_callback() -> None:
    """The callback is not called then."""
    callbacks, got = Callbacks(), list[Any]()
    add(callbacks, got.append, predicate=lambda event: event.data["missing"])

    callbacks.run(CALL)

    assert (callbacks.errors, got) == (1, [])


def test_an_error_of_on_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Even the handler of errors may fail."""

    def handler(error: Exception, event: Any) -> None:
        raise ValueError("again")

    callbacks = Callbacks(on_error=handler)
    add(callbacks, lambda: 1 / 0)

    callbacks.run(CALL)

    assert [record.getMessage().split()[0] for record in caplog.records] == ["callback", "on_error"]
    assert callbacks.errors == 1


def test_sys_exit_in_a_callback_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It would end the thread of the callbacks alone, and nobody would notice."""
    callbacks, got = Callbacks(), list[Any]()
    add(callbacks, functools.partial(exit_with, 3))
    add(callbacks, got.append)

    callbacks.run(CALL)

    assert (callbacks.errors, got) == (1, [CALL])
    assert caplog.messages == ["callback partial called sys.exit(); close the client instead"]


def exit_with(code: int) -> None:
    """Raise what sys.exit() raises."""
    raise SystemExit(code)


def test_an_error_in_a_callback_shows_neither_key_nor_data(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log holds the name of the callback and of the event."""
    callbacks = Callbacks()
    add(callbacks, lambda: 1 / 0)

    callbacks.run(Event("call", "sales", {"text": "private"}, api_key="secret"))

    assert "ZeroDivisionError" in caplog.text
    assert "private" not in caplog.text
    assert "secret" not in caplog.text


def test_a_context_is_entered_around_each_callback() -> None:
    """Frameworks need one; it is left after an error as well."""
    got: list[str] = []

    @contextmanager
    def context() -> Iterator[None]:
        got.append("enter")
        try:
            yield
        finally:
            got.append("leave")

    callbacks = Callbacks(context)
    add(callbacks, lambda: got.append("one"))
    add(callbacks, lambda: 1 / 0)

    callbacks.run(CALL)

    assert got == ["enter", "one", "leave", "enter", "leave"]
    assert callbacks.errors == 1


def test_after_a_fork_callbacks_stay_registered() -> None:
    """The child has the same program."""
    callbacks, got = Callbacks(), list[Any]()
    add(callbacks, got.append)

    callbacks._changing.acquire()  # by a thread that exists in the parent only
    callbacks.after_fork()
    add(callbacks, got.append)
    callbacks.run(CALL)

    assert got == [CALL, CALL]


@pytest.mark.parametrize(
    ("callbacks", "expected"),
    [
        pytest.param([], Outcome.NOBODY, id="none"),
        pytest.param([(True, False)], Outcome.NOBODY, id="not taken"),
        pytest.param([(True, False), (False, True)], Outcome.DONE, id="one taken"),
        pytest.param([(False, True), (True, True)], Outcome.FAILED, id="one failed"),
    ],
)
def test_run_tells_what_became_of_the_event(
    callbacks: list[tuple[bool, bool]], expected: Outcome
) -> None:
    """Nobody took it, all returned, or one of them raised."""
    registry = Callbacks()
    for fails, takes in callbacks:
        add(
            registry,
            (lambda event: 1 / 0) if fails else (lambda event: None),
            predicate=functools.partial(_answer, takes),
        )

    assert expected is registry.run(Event("call", "sales"))
