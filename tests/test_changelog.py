"""The changelog: its newest heading, its dates, its sections, its entries."""

from __future__ import annotations

import re
from datetime import date

import pytest

import evolution_ws

from .source import ROOT


TEXT = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
SECTIONS = ["Security", "Removed", "Deprecated", "Added", "Changed", "Fixed"]
RELEASE = re.compile(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})")


def releases() -> list[tuple[str, str]]:
    """Return version and date of every release."""
    return [match.groups() for heading in HEADINGS if (match := RELEASE.fullmatch(heading))]  # type: ignore[misc]


def parts() -> list[str]:
    """Return the text of each version."""
    return re.split(r"^## .+$", TEXT, flags=re.MULTILINE)[1:]


def test_every_heading_is_a_release_or_what_is_not_released_yet() -> None:
    """Only the first may be unreleased."""
    assert HEADINGS
    assert [
        heading
        for number, heading in enumerate(HEADINGS)
        if not RELEASE.fullmatch(heading) and (heading, number) != ("[Unreleased]", 0)
    ] == []


def test_the_newest_release_is_this_version() -> None:
    """Unless nothing was released yet, or the next version is in the making."""
    if releases() and HEADINGS[0] != "[Unreleased]":
        assert releases()[0][0] == evolution_ws.__version__
    else:
        assert HEADINGS[0] == "[Unreleased]"


def test_releases_go_back_in_time() -> None:
    """Newest first, with real dates."""
    dates = [date.fromisoformat(day) for _, day in releases()]
    versions = [tuple(map(int, version.split("."))) for version, _ in releases()]

    assert dates == sorted(dates, reverse=True)
    assert versions == sorted(versions, reverse=True)


@pytest.mark.parametrize("part", parts(), ids=HEADINGS)
def test_sections_are_known_ordered_and_not_empty(part: str) -> None:
    """Each of them at most once, each with an entry."""
    names = re.findall(r"^### (.+)$", part, re.MULTILINE)
    bodies = re.split(r"^### .+$", part, flags=re.MULTILINE)[1:]

    assert names
    assert names == [name for name in SECTIONS if name in names]
    assert [body for body in bodies if not body.strip().startswith("- ")] == []


@pytest.mark.parametrize("part", parts(), ids=HEADINGS)
def test_an_entry_is_a_sentence(part: str) -> None:
    """It begins with a dash, ends with a point, and a blank line keeps it from the next."""
    blocks = [block.strip() for block in part.split("\n\n")]
    entries = [block for block in blocks if block and not block.startswith(("#", "["))]

    assert [entry for entry in entries if not entry.startswith("- ")] == []
    assert [entry for entry in entries if not entry.endswith((".", ")"))] == []
    assert [entry for entry in entries if entry.count("\n- ")] == []
