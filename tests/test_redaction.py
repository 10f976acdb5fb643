"""What may be shown of URLs and texts that hold secrets."""

from __future__ import annotations

import pytest

from evolution_ws._redaction import printable, redacted_text, redacted_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h:1/p", "https://h:1/p"),
        ("https://u:p@h/p?apikey=1#f", "https://h/p"),
        ("https://u@v:p@h/", "https://h/"),
        ("/path?x=1", "/path"),
        ("http://[broken", "***"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    """User information, query and fragment are left out."""
    assert redacted_url(url) == shown


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        pytest.param("key abc, abcabc", ["abc"], "key ***, ******", id="each time"),
        pytest.param("a b", ["a", "b"], "*** ***", id="several"),
        pytest.param("nothing", [None, ""], "nothing", id="none"),
        pytest.param("GET /?x=1&apikey=abc&y=2", [], "GET /?x=1&apikey=***&y=2", id="query"),
        pytest.param("ApiKey=abc token=d e", [], "ApiKey=*** token=*** e", id="capitals"),
        pytest.param("monkey=1", [], "monkey=1", id="another word"),
    ],
)
def test_secrets_in_a_text_are_masked(text: str, secrets: list[str | None], shown: str) -> None:
    """Known secrets and credentials in queries become asterisks."""
    assert redacted_text(text, *secrets) == shown


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        pytest.param("plain", 200, "plain", id="plain"),
        pytest.param(" a\r\n\tb\x1b[0m\x00c\u202e ", 200, "a b [0m c", id="control characters"),
        pytest.param("Olá ✓", 200, "Olá ✓", id="not ASCII"),
        pytest.param("abcdef", 6, "abcdef", id="at the limit"),
        pytest.param("abcdefg", 6, "abcde…", id="beyond the limit"),
        pytest.param("", 200, "", id="empty"),
    ],
)
def test_a_foreign_text_becomes_one_harmless_line(text: str, limit: int, shown: str) -> None:
    """It cannot drive a terminal, nor fill it."""
    assert printable(text, limit) == shown
