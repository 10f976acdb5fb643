"""Names of events as users write them."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from evolution_ws import ConfigError, EventType
from evolution_ws._names import event_names


@pytest.mark.parametrize(
    ("types", "names"),
    [
        pytest.param([], None, id="none for all"),
        pytest.param(["*"], None, id="star for all"),
        pytest.param(["call", "*"], None, id="star among others"),
        pytest.param(["messages.upsert"], {"messages.upsert"}, id="wire"),
        pytest.param(["MESSAGES_UPSERT"], {"messages.upsert"}, id="settings"),
        pytest.param(["messages-upsert", "call"], {"messages.upsert", "call"}, id="dashes"),
        pytest.param([EventType.CALL], {"call"}, id="member"),
        pytest.param(["gap", "connect"], {"gap", "connect"}, id="lifecycle"),
        pytest.param(iter(["call", "CALL"]), {"call"}, id="iterator, doubled"),
    ],
)
def test_names_become_those_of_the_wire(
    types: Any, names: set[str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Every spelling is understood without a word."""
    assert event_names(types) == names
    assert caplog.records == []


@pytest.mark.parametrize("kind", ["", None, 5, b"call"], ids=repr)
def test_what_is_no_name_is_refused(kind: Any) -> None:
    """The error shows an example."""
    with pytest.raises(ConfigError, match=r"such as 'messages\.upsert'"):
        event_names(["call", kind])


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("mesages.upsert", "mesages.upsert", "'mesages.upsert'; did you mean messages.upsert?"),
        ("my.own.thing", "my.own.thing", "no known Evolution server emits 'my.own.thing'"),
    ],
)
def test_an_unknown_name_is_accepted_with_a_warning(
    kind: str, name: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A later server may know it; a slip of the pen is noticed."""
    assert event_names([kind]) == frozenset({name})

    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert words in caplog.text


@pytest.mark.parametrize(("is_global", "warnings"), [(True, 0), (False, 1)])
def test_an_event_of_global_mode_warns_elsewhere(
    is_global: bool, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    """No setting of an instance selects groups.update."""
    assert event_names(["GROUPS_UPDATE"], is_global) == frozenset({"groups.update"})

    assert caplog.text.count("global mode only") == warnings
