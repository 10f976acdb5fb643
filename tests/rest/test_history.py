"""Stored messages through the REST companion."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from evolution_ws.exceptions import ApiError, ConfigError
from evolution_ws.rest import Api
from tests.rest.rest_server import RestServer


START = datetime(2025, 12, 5, 16, 0, tzinfo=timezone.utc)
END = START + timedelta(hours=1)
AT = 1764950500  # within the window

FIND = "/chat/findMessages/sales"


def record(name: str, at: Any = AT) -> dict[str, Any]:
    """Return a stored message."""
    return {"key": {"id": name}, "messageTimestamp": at}


def page(*records: Any, total: int | None = None) -> dict[str, Any]:
    """Return the answer with a page of messages."""
    count = len(records) if total is None else total
    return {"messages": {"total": count, "records": list(records)}}


def ids(records: list[dict[str, Any]]) -> list[str]:
    """Return the ids of messages."""
    return [one["key"]["id"] for one in records]


def test_find_messages(server: RestServer, api: Api) -> None:
    """Both limits are sent in milliseconds, and one page is asked for."""
    server.answer_sample("POST", FIND, "findMessages-v2")

    found = api.find_messages("sales", START, END)

    window = {"gte": 1764950400000, "lte": 1764954000000}
    where = {"messageTimestamp": window}
    assert {"where": where, "page": 1, "offset": 1000} == server.requests(FIND)[0].body
    assert ids(found) == ["AC00000000000000000000000000AB01"]


def test_find_messages_filters(server: RestServer, api: Api) -> None:
    """One chat is asked for under both of its addresses."""
    server.answer("POST", FIND, page())

    api.find_messages("sales", START, END, remote_jid="15550100", message_id="A1", page_size=5)

    jid = "15550100@s.whatsapp.net"
    body = server.requests(FIND)[0].body
    assert {"id": "A1", "remoteJid": jid, "remoteJidAlt": jid} == body["where"]["key"]
    assert body["offset"] == 5


def test_find_messages_asks_again_for_all_in_one_page(server: RestServer, api: Api) -> None:
    """When there are more than a page holds, a larger page is asked for."""
    server.answer("POST", FIND, page(record("b"), total=2))
    server.answer("POST", FIND, page(record("b"), record("a")))

    found = api.find_messages("sales", START, END, page_size=1)

    assert ids(found) == ["a", "b"]
    assert [seen.body["offset"] for seen in server.requests(FIND)] == [1, 102]
    assert [seen.body["page"] for seen in server.requests(FIND)] == [1, 1]


def test_find_messages_stops_when_the_server_gives_no_more(server: RestServer, api: Api) -> None:
    """A total that the records never reach does not lead to endless requests."""
    server.answer("POST", FIND, page(record("a"), total=9))

    assert ids(api.find_messages("sales", START, END, page_size=10)) == ["a"]
    assert len(server.requests(FIND)) == 1


def test_find_messages_never_sends_zero(server: RestServer, api: Api) -> None:
    """The server takes 0 for no limit at all, so 1970 begins a millisecond later."""
    server.answer("POST", FIND, page())

    api.find_messages("sales", datetime(1970, 1, 1, tzinfo=timezone.utc), END)

    assert server.requests(FIND)[0].body["where"]["messageTimestamp"]["gte"] == 1


def test_find_messages_sorts_and_drops_what_is_outside(server: RestServer, api: Api) -> None:
    """Messages come oldest first; what a server sends beyond the window is dropped."""
    times: list[Any] = [AT + 9, {"low": AT}, str(AT - 1), AT - 1, None, AT - 9999, AT + 9999]
    rows = [record(str(index), at) for index, at in enumerate(times)]
    server.answer("POST", FIND, page(*rows, "garbage"))

    assert ids(api.find_messages("sales", START, END)) == ["4", "3", "2", "1", "0"]


def test_find_messages_needs_time_zones(api: Api) -> None:
    """A time of unknown place is refused."""
    with pytest.raises(ConfigError, match="time zone"):
        api.find_messages("sales", START.replace(tzinfo=None), END)


def test_find_messages_needs_a_page(api: Api) -> None:
    """A page of no messages is refused."""
    with pytest.raises(ConfigError, match="at least 1"):
        api.find_messages("sales", START, END, page_size=0)


@pytest.mark.parametrize(
    "value",
    [None, [], {}, {"messages": []}, {"messages": {"records": None}}],
    ids=["null", "list", "empty", "no page", "no records"],
)
def test_find_messages_misread(server: RestServer, api: Api, value: Any) -> None:
    """An answer without messages is an error, not an empty window."""
    server.answer("POST", FIND, value)

    with pytest.raises(ApiError, match="no messages in the answer") as caught:
        api.find_messages("sales", START, END)
    assert caught.value.status == 200


def test_history_tells_what_is_left(server: RestServer, api: Api) -> None:
    """A window with more than the limit says how many there are, and what the server's time is."""
    rows = page(record("b"), record("a"), total=7)
    server.answer("POST", FIND, rows, headers={"Date": "Fri, 05 Dec 2025 16:30:00 GMT"})

    history = api.history("sales", START, END, 2)

    assert (len(history.records), history.total, history.is_complete) == (2, 7, False)
    assert history.server_time is not None
    assert history.server_time.tzinfo is timezone.utc
    assert "key" not in repr(history)


def test_history_without_a_total(server: RestServer, api: Api) -> None:
    """A server that counts nothing is believed to have sent all."""
    server.answer("POST", FIND, {"messages": {"records": [record("a")]}})

    history = api.history("sales", START, END, 2)

    assert (history.total, history.is_complete) == (1, True)


def test_history_v1(server: RestServer, api_v1: Api) -> None:
    """Version 1 is asked for more until its oldest message lies before the window."""
    newer = [record(f"new{n}", AT + 9999) for n in range(2)]
    server.answer("POST", FIND, newer)
    server.answer("POST", FIND, [*newer, record("a"), record("old", AT - 9999), *[None] * 4])

    history = api_v1.history("sales", START, END, 2, remote_jid="1555@g.us")

    assert ids(history.records) == ["a"]
    assert (history.total, history.is_complete) == (1, True)
    where = {"key": {"remoteJid": "1555@g.us"}}
    bodies = [seen.body for seen in server.requests(FIND)]
    assert [{"where": where, "limit": 2}, {"where": where, "limit": 8}] == bodies


def test_history_v1_with_few_messages(server: RestServer, api_v1: Api) -> None:
    """Fewer messages than asked for are all there are."""
    server.answer_sample("POST", FIND, "findMessages-v1.8")
    start = datetime.fromtimestamp(1764050500, timezone.utc)

    found = api_v1.find_messages("sales", start, start)

    assert ids(found) == ["AC00000000000000000000000000AB02"]
    assert server.requests(FIND)[0].body["where"] == {}


def test_history_v1_cut_off(
    server: RestServer,
    api_v1: Api,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A history too long for version 1 says that it is not complete."""
    monkeypatch.setattr("evolution_ws._rest_history._V1_MOST", 3)
    server.answer("POST", FIND, [record("c"), record("b"), record("a")])

    history = api_v1.history("sales", START, END, 1)

    assert (history.total, history.is_complete) == (3, False)
    assert [seen.body["limit"] for seen in server.requests(FIND)] == [1, 3]
    assert "newest 3 messages" in caplog.text


def test_history_v1_misread(server: RestServer, api_v1: Api) -> None:
    """An answer in the shape of the other version is an error."""
    server.answer("POST", FIND, page())

    with pytest.raises(ApiError, match="no messages in the answer"):
        api_v1.history("sales", START, END, 1)
