"""The parts of messages: files, choices, polls, cards."""

from __future__ import annotations

from typing import Any

import pytest

from .samples import load_event, message


SELECTIONS = [
    pytest.param(
        {"listResponseMessage": {"title": "Bolo", "singleSelectReply": {"selectedRowId": "r1"}}},
        "r1",
        "Bolo",
        id="list",
    ),
    pytest.param(
        {"templateButtonReplyMessage": {"selectedId": "t1", "selectedDisplayText": "Sim"}},
        "t1",
        "Sim",
        id="template",
    ),
    pytest.param(
        {
            "interactiveResponseMessage": {
                "nativeFlowResponseMessage": {"paramsJson": '{"id": "f1", "title": "Fluxo"}'}
            }
        },
        "f1",
        "Fluxo",
        id="flow-without-body",
    ),
    pytest.param(
        {
            "interactiveResponseMessage": {
                "body": {"text": "Corpo"},
                "nativeFlowResponseMessage": {"paramsJson": "{broken"},
            }
        },
        None,
        "Corpo",
        id="flow-with-broken-json",
    ),
    pytest.param({"buttonsResponseMessage": {"selectedButtonId": "b1"}}, "b1", None, id="id-alone"),
]


@pytest.mark.parametrize(("content", "chosen", "shown"), SELECTIONS)
def test_selection(content: object, chosen: str | None, shown: str | None) -> None:
    """Answers to lists, templates, flows and buttons have an id and a text."""
    found = message(content)

    assert found.kind == "selection"
    assert found.selection is not None
    assert (found.selection.id, found.selection.text) == (chosen, shown)
    assert found.text == (shown or chosen)


@pytest.mark.parametrize("message_type", ["interactiveMessage", "buttonMessage"])
def test_selection_of_official_api(message_type: str) -> None:
    """The official API's channel keeps nothing of an answer but its title."""
    found = message({"conversation": "Sim"}, messageType=message_type)

    assert (found.kind, found.text) == ("selection", "Sim")
    assert found.selection is not None
    assert (found.selection.id, found.selection.text) == (None, "Sim")


def test_poll_vote_without_key() -> None:
    """A vote that the server could not decrypt says which poll, and nothing else."""
    digests = {"selectedOptions": [b"\x01\x02"]}
    poll = message(
        {"pollUpdateMessage": {"vote": digests, "pollCreationMessageKey": {"id": "3EB7"}}}
    )

    assert poll.poll is not None
    assert (poll.poll.message_id, poll.poll.selected, poll.poll.options) == ("3EB7", None, ())
    assert poll.text is None


def test_votes_that_are_nonsense() -> None:
    """Votes for nothing, and voters that are nobody, are left out."""
    updates = [{"name": None, "voters": []}, {"name": "Sim", "voters": [None, "1@lid"]}, 5]
    found = message({"pollUpdateMessage": {"vote": {}}}, pollUpdates=updates)

    assert found.poll is not None
    assert found.poll.votes == {"Sim": ("1@lid",)}


def test_contact_cards() -> None:
    """Every number of every card is found, that on WhatsApp first of all."""
    cards = [
        {
            "displayName": "A",
            "vcard": "BEGIN:VCARD\nTEL;type=CELL;waid=5511900000003:+55 11 9\nEND",
        },
        {"displayName": "B", "vcard": "item1.TEL:+55 (11) 90000-0004\r\nTEL:none\r\nTEL:551190000"},
        {"vcard": None},
        "no card",
    ]
    found = message({"contactsArrayMessage": {"displayName": "2 contatos", "contacts": cards}})

    assert [(card.name, card.phones) for card in found.contacts] == [
        ("A", ("5511900000003",)),
        ("B", ("5511900000004", "551190000")),
        (None, ()),
    ]
    assert found.text == "2 contatos"


def test_save(tmp_path: Any) -> None:
    """The file that a server sent along can be written."""
    media = load_event("messages.upsert-image-base64-v1.8").message.media

    target = media.save(tmp_path / "image.jpg")

    assert target.read_bytes() == media.data


def test_save_without_data(tmp_path: Any) -> None:
    """Without a file the error says how to get it."""
    media = load_event("messages.upsert-image").message.media

    with pytest.raises(ValueError, match=r"no bytes with this image: .*media_base64"):
        media.save(tmp_path / "image.jpg")
