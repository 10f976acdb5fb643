"""Tests for the tables and records of :mod:`evolution_ws.notebook`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from evolution_ws import LifecycleEvent
from evolution_ws.notebook import EventTable, table, to_records
from evolution_ws.testing import build

from .html_tools import HOSTILE, Page
from .samples import NAMES, load_event


COLUMNS = [
    "time",
    "instance",
    "type",
    "chat",
    "sender",
    "name",
    "from_me",
    "is_group",
    "kind",
    "text",
    "status",
    "message_id",
    "replayed",
]


def test_record_of_a_message() -> None:
    """A message's record says who wrote what, where and when."""
    event = build.text("Oi", instance="sales", id="3EB0", at=1_700_000_000)

    expected = {
        "time": datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc),
        "instance": "sales",
        "type": "messages.upsert",
        "chat": "5511900000001@s.whatsapp.net",
        "sender": "5511900000001@s.whatsapp.net",
        "name": "Ana",
        "from_me": False,
        "is_group": False,
        "kind": "text",
        "text": "Oi",
        "status": "DELIVERY_ACK",
        "message_id": "3EB0",
        "replayed": False,
    }
    assert to_records([event]) == [expected]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        pytest.param(
            build.receipt("3EB0", "READ"),
            {"chat": "5511900000001@s.whatsapp.net", "status": "READ", "message_id": "3EB0"},
            id="receipt",
        ),
        pytest.param(
            build.group_change(), {"chat": "120363000000000001@g.us", "is_group": True}, id="group"
        ),
        pytest.param(build.edit("depois", "3EB0"), {"text": "depois"}, id="edit"),
        pytest.param(build.connection(), {"chat": None, "is_group": None}, id="no chat"),
        pytest.param(build.history([]), {"type": "messages.set", "kind": None}, id="no message"),
        pytest.param(
            LifecycleEvent(type="connect"), {"time": None, "replayed": False}, id="lifecycle"
        ),
        pytest.param(build.text("Oi").replace(replayed=True), {"replayed": True}, id="replayed"),
    ],
)
def test_record_of_another_event(event: Any, told: dict[str, Any]) -> None:
    """Other events fill the columns that they have something for."""
    (record,) = to_records([event])

    assert {name: record[name] for name in told} == told


def test_history_has_a_record_for_each_message() -> None:
    """A piece of the history is as many records as it has messages."""
    event = build.history([build.text("a"), build.text("b")])

    assert [record["text"] for record in to_records([event])] == ["a", "b"]


@pytest.mark.parametrize("name", NAMES)
def test_records_are_flat(name: str) -> None:
    """Every record has the same keys, and no value that is not plain."""
    for record in to_records([load_event(name)]):
        assert list(record) == COLUMNS
        kinds = {type(value) for value in record.values()}
        assert kinds <= {str, bool, datetime, type(None)}


def test_table_is_a_sequence() -> None:
    """A table is a list of its events; a slice of it is a table."""
    events = [build.text(str(number)) for number in range(3)]

    gathered = table(iter(events))

    assert list(gathered) == events
    assert gathered[-1] is events[-1]
    assert isinstance(gathered[:2], EventTable)
    assert repr(gathered[:2]) == "<EventTable of 2 events>"
    assert gathered.to_records() == to_records(events)


def test_interrupted_table_keeps_what_came() -> None:
    """Interrupting the cell ends an endless loop, and nothing that came is lost."""
    event = build.text("Oi")

    def endless() -> Iterator[Any]:
        yield event
        raise KeyboardInterrupt

    assert list(table(endless())) == [event]


def test_table_shows_rows() -> None:
    """Each event is a row with its time, its writer and what it says."""
    at = 1_700_000_000
    rows = [
        build.text("Bom dia", at=at),
        build.text("Oi", sent=True),
        build.text("Oi", push_name=None),
        build.connection(),
        LifecycleEvent(type="connect"),
    ]

    text = Page(EventTable(rows)._repr_html_()).text

    clock = datetime.fromtimestamp(at).strftime("%H:%M:%S")
    assert f"{clock}demomessages.upsertAnaBom dia" in text
    assert "send.messagemeOi" in text
    assert "5511900000001Oi" in text
    assert "state: open" in text
    assert "–connect" in text


def test_long_and_empty_tables() -> None:
    """A long table is cut and says so; an empty one says that it is empty."""
    long = EventTable([build.text("Oi")] * 130)

    assert "… and 30 more" in Page(long._repr_html_()).text
    assert Page(EventTable()._repr_html_()).text == "no events"


def test_hostile_table() -> None:
    """What strangers write is text in a table as well."""
    event = build.text(HOSTILE, push_name=HOSTILE)

    assert Page(EventTable([event])._repr_html_()).text.count(HOSTILE) == 2
