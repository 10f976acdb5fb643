"""Messages on the embedded server: stored, found, sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator

import pytest
import requests

from evolution_ws.testing import FakeEvolutionServer
from evolution_ws.testing.plugin import evolution_server_factory  # noqa: F401 - fixture
from tests.fake_server_tools import (
    CEILING,
    FIND,
    NOON,
    RawClient,
    found,
    message,
    rest,
    told,
    wait_until,
)


Factory = Callable[..., FakeEvolutionServer]


MILLISECONDS = 1000


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Return a started server with the instance sales."""
    with FakeEvolutionServer(instances="sales") as server:
        yield server


@pytest.fixture
def old(evolution_server_factory: Factory) -> FakeEvolutionServer:  # noqa: F811
    """Return a started server of version 1.8."""
    return evolution_server_factory(instances="sales", v1=True)


def test_find_messages_shows_records(server: FakeEvolutionServer) -> None:
    """A record is not the event: no status, an id, bytes as base64, receipts beside it."""
    content = {"conversation": "x", "messageContextInfo": {"messageSecret": b"\x00\x01"}}
    server.emit("messages.upsert", message(1, message=content, status="DELIVERY_ACK"))
    server.emit("messages.update", {"keyId": "A1", "status": "READ"})
    server.emit("messages.update", {"keyId": "unknown", "status": "READ"})

    page = rest(server, "POST", FIND, {}).json()["messages"]

    assert (page["total"], page["pages"], page["currentPage"]) == (1, 1, 1)
    record = page["records"][0]
    assert {
        "key": message(1)["key"],
        "pushName": "Ana Exemplo",
        "messageType": "conversation",
        "message": {"conversation": "x", "messageContextInfo": {"messageSecret": "AAE="}},
        "messageTimestamp": NOON,
        "instanceId": server.instances["sales"].id,
        "source": "android",
        "contextInfo": None,
        "MessageUpdate": [{"status": "READ"}],
    } == {key: value for key, value in record.items() if key != "id"}
    assert found(server, {"id": record["id"]}) == ["A1"]


@pytest.mark.parametrize(
    ("bounds", "wanted"),
    [
        ({"gte": "2026-11-18T11:06:41.900Z", "lte": "2026-11-18T11:06:42.999Z"}, ["A2", "A1"]),
        ({"gte": (NOON + 2) * MILLISECONDS + 999, "lte": 4e15}, ["A3", "A2"]),
        ({"gte": "2026-11-18", "lte": "2026-11-19"}, ["A3", "A2", "A1", "A0"]),
        ({"gte": NOON, "lte": NOON + 9}, []),
        ({"gte": NOON * MILLISECONDS}, ["A3", "A2", "A1", "A0"]),
        ({"gt": 4e15, "lt": 5e15}, ["A3", "A2", "A1", "A0"]),
        (NOON, ["A3", "A2", "A1", "A0"]),
        ({"gte": 0, "lte": 4e15}, ["A3", "A2", "A1", "A0"]),
    ],
    ids=["iso", "ms", "dates", "seconds", "one-bound", "gt", "scalar", "zero"],
)
def test_find_messages_filters_by_time_only_with_both_bounds(
    server: FakeEvolutionServer, bounds: object, wanted: list[str]
) -> None:
    """Bounds are floored to seconds and inclusive; seconds are taken as milliseconds."""
    for number in range(4):
        server.emit("messages.upsert", message(number, NOON + number))

    assert wanted == found(server, {"messageTimestamp": bounds})


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ({"key": {"id": "A1"}}, ["A1"]),
        ({"key": {"remoteJid": "5511980000101@s.whatsapp.net"}}, ["A1"]),
        ({"key": {"remoteJid": "5511980000101"}}, []),
        ({"key": {"remoteJid": "9@lid", "remoteJidAlt": "5@s.whatsapp.net"}}, ["A2"]),
        ({"key": {"fromMe": True}}, ["A2"]),
        ({"key": {"fromMe": False}}, ["A2", "A1"]),
        ({"key": "A1"}, ["A2", "A1"]),
        ({"messageType": "imageMessage"}, ["A2"]),
        ({"source": "android"}, ["A1"]),
        ({"pushName": "nobody", "instanceId": "x"}, ["A2", "A1"]),
    ],
    ids=["id", "jid", "no-suffix", "either", "mine", "not-mine", "no-key", "type", "source",
         "unknown"],
)  # fmt: skip
def test_find_messages_knows_some_filters(
    server: FakeEvolutionServer, where: object, wanted: list[str]
) -> None:
    """What the server does not know, or takes for empty, it ignores in silence."""
    server.emit("messages.upsert", message(1))
    key = {"id": "A2", "remoteJid": "9@lid", "fromMe": True}
    server.emit(
        "send.message", message(2, NOON + 1, key=key, messageType="imageMessage", source="web")
    )

    assert wanted == found(server, where)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"where": [1]}, 400),
        ({"where": {"source": "fax"}}, 500),
        ({"where": {"messageTimestamp": {"gte": "garbage", "lte": "2026-11-19"}}}, 500),
        ({"where": {"messageTimestamp": {"gte": 1, "lte": float("1e400")}}}, 500),
        ({"page": -1}, 500),
        ({"page": "1"}, 500),
        ({"offset": "10"}, 500),
    ],
    ids=["where", "source", "date", "infinite", "negative", "page", "offset"],
)
def test_find_messages_breaks_where_the_server_breaks(
    server: FakeEvolutionServer, body: dict[str, object], status: int
) -> None:
    """Wrong types are errors of the server."""
    answer = requests.post(
        server.url + FIND,
        data=json.dumps(body),
        headers={"Content-Type": "application/json"},
        timeout=CEILING,
    )

    assert status == answer.status_code


def test_find_messages_pages_without_a_tie_breaker(server: FakeEvolutionServer) -> None:
    """One big page is complete and newest first; small ones lose and repeat messages."""
    for number in range(60):
        server.emit("messages.upsert", message(number, NOON + number // 20))

    assert len(found(server)) == 50
    assert found(server) == found(server, page=0)
    whole = found(server, offset=1000)
    assert len(set(whole)) == 60
    assert {f"A{number}" for number in range(40, 60)} == set(whole[:20])
    paged = [key for page in range(1, 21) for key in found(server, offset=3, page=page)]
    assert len(paged) == 60
    assert len(set(paged)) < 60
    assert found(server, page=9) == []


def test_messages_are_stored_as_told(server: FakeEvolutionServer) -> None:
    """Batches are stored one by one; options and arguments say what is not, or later."""
    server.emit("messages.set", [message(1), message(2, NOON + 1), "garbage"])
    server.emit("messages.upsert", message(3), store=False)
    server.emit("presence.update", {"id": "x"})
    server.store = False
    server.emit("messages.upsert", message(4))
    server.store_delay = 0.1
    server.emit("messages.upsert", message(5, NOON + 2), store=True)

    assert found(server) == ["A2", "A1"]
    wait_until(lambda: found(server) == ["A5", "A2", "A1"])


@pytest.mark.parametrize(
    ("stamp", "wanted"),
    [({"low": 7, "high": 0, "unsigned": False}, 7), ("7", 7), (None, 0)],
    ids=["long", "str", "none"],
)
def test_timestamps_are_stored_as_numbers(
    server: FakeEvolutionServer, stamp: object, wanted: int
) -> None:
    """All encodings of a time become Unix seconds; a message without a key is stored, too."""
    server.emit("messages.upsert", {"messageTimestamp": stamp, "key": None})

    record = rest(server, "POST", FIND, {}).json()["messages"]["records"][0]

    assert (wanted, {}) == (record["messageTimestamp"], record["key"])


def test_version_1_finds_a_plain_list(old: FakeEvolutionServer) -> None:
    """There is a limit and a key filter, and neither time nor pages."""
    for number in range(3):
        old.emit("messages.upsert", message(number, NOON + number))

    records = rest(old, "POST", FIND, {"limit": 2}).json()
    one = rest(old, "POST", FIND, {"where": {"key": {"id": "A0"}}}).json()

    assert [record["key"]["id"] for record in records] == ["A2", "A1"]
    assert [record["key"]["id"] for record in one] == ["A0"]
    assert (one[0]["owner"], "instanceId" in one[0]) == ("sales", False)


def test_media_is_served_in_base64(server: FakeEvolutionServer) -> None:
    """The content is what the test provides, or made up."""
    image = {"imageMessage": {"mimetype": "image/png", "width": 2, "height": 3}}
    server.emit("messages.upsert", message(1, message=image))
    server.emit("messages.upsert", message(2))
    server.emit("messages.upsert", message(3, message=None))
    path = "/chat/getBase64FromMediaMessage/sales"

    def ask(key_id: str) -> requests.Response:
        return rest(server, "POST", path, {"message": {"key": {"id": key_id}}})

    made_up = ask("A1").json()
    server.media["A1"] = b"png"
    answer = ask("A1")

    assert answer.status_code == 201
    assert base64.b64decode(answer.json()["base64"]) == b"png"
    assert base64.b64decode(made_up["base64"]) == b"content of A1"
    assert (
        answer.json()["mediaType"],
        answer.json()["mimetype"],
        answer.json()["size"]["fileLength"],
    ) == ("imageMessage", "image/png", "3")
    for key_id in ("A2", "A3"):
        assert told(ask(key_id)) == (400, ["The message is not of the media type"])
    assert told(ask("A9")) == (400, ["Message not found"])
    assert told(rest(server, "POST", path, {})) == (400, ["Message not found"])


def test_send_text_emits_stores_and_answers(server: FakeEvolutionServer) -> None:
    """The event, the record and the answer are one message."""
    with RawClient(server, "/sales") as client:
        body = {
            "number": "5511980000101",
            "text": "Olá",
            "quoted": {"key": {"id": "A1"}, "message": {"conversation": "x"}},
        }
        answer = rest(server, "POST", "/message/sendText/sales", body)
        assert client.text().startswith('42/sales,["send.message"')

    data = answer.json()
    assert answer.status_code == 201
    assert (
        data["key"]["remoteJid"],
        data["key"]["fromMe"],
    ) == ("5511980000101@s.whatsapp.net", True)
    assert (data["message"]["conversation"], data["status"]) == ("Olá", "PENDING")
    assert data["contextInfo"]["stanzaId"] == "A1"
    assert [data["key"]["id"]] == found(server)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"number": "1"}, 400, [['instance requires property "text"']]),
        ({"number": 1, "text": "x"}, 400, [["number is not of a type(s) string"]]),
        (
            {"number": "404", "text": "x"},
            400,
            [{"jid": "404@s.whatsapp.net", "exists": False, "number": "404"}],
        ),
    ],
    ids=["text", "number", "not-on-whatsapp"],
)
def test_send_text_refuses_what_the_server_refuses(
    server: FakeEvolutionServer, body: object, status: int, said: object
) -> None:
    """Status and words are those of a real server, and nothing is sent."""
    server.not_on_whatsapp.add("404")

    assert (status, said) == told(rest(server, "POST", "/message/sendText/sales", body))
    assert found(server) == []


def test_send_text_needs_a_connected_instance(server: FakeEvolutionServer) -> None:
    """Without WhatsApp the server fails."""
    server.instances["sales"].state = "close"
    body = {"number": "12036300000@g.us", "text": "x"}

    answer = rest(server, "POST", "/message/sendText/sales", body)

    assert told(answer) == (500, "Connection Closed")


def test_version_1_sends_with_another_body(old: FakeEvolutionServer) -> None:
    """The text is wrapped, and the answer shorter."""
    path = "/message/sendText/sales"
    body = {"number": "5511980000101@s.whatsapp.net", "textMessage": {"text": "Olá"}}

    data = rest(old, "POST", path, body).json()

    assert data["message"] == {"extendedTextMessage": {"text": "Olá"}}
    assert {"key", "message", "messageTimestamp", "status"} == set(data)
    new_body = {"number": "5511980000101", "text": "x"}
    assert told(rest(old, "POST", path, new_body)) == (
        400,
        [['instance requires property "textMessage"']],
    )
