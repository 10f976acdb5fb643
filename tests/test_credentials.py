"""The api key and the TLS context of a client."""

from __future__ import annotations

from typing import Any

import pytest

from evolution_ws import ClientConfig, ConfigError
from evolution_ws._credentials import Credentials


CONFIG = ClientConfig()


def test_a_key_is_handed_out_as_it_is() -> None:
    """A str is the key, for socket and REST."""
    credentials = Credentials("key", CONFIG)

    assert (credentials.fresh(), credentials.current()) == ("key", "key")
    assert credentials.has_key
    assert not credentials.has_changed()


def test_no_key_is_none() -> None:
    """Servers that know the client's host ask for none."""
    credentials = Credentials(None, CONFIG)

    assert (credentials.fresh(), credentials.current()) == (None, None)
    assert not credentials.has_key
    assert not credentials.has_changed()


def test_a_callable_is_asked_at_each_attempt() -> None:
    """Keys may rotate."""
    keys = iter(["one", "two", "two", "three"])
    credentials = Credentials(lambda: next(keys), CONFIG)

    assert credentials.has_key
    assert credentials.fresh() == "one"
    assert credentials.has_changed()  # "two" is the next
    assert credentials.fresh() == "two"
    assert credentials.current() == "three"


def test_a_callable_that_gives_the_same_key_has_not_changed() -> None:
    """Trying again with a refused key is pointless."""
    credentials = Credentials(lambda: "same", CONFIG)
    credentials.fresh()

    assert not credentials.has_changed()


def test_a_callable_that_fails_may_change() -> None:
    """The next attempt reports what is wrong with it."""

    def fail() -> str:
        raise OSError("vault is down")

    assert Credentials(fail, CONFIG).has_changed()


@pytest.mark.parametrize(
    "key",
    ["", " secret", "secret\n", "se\ncret", "secrét", "se\x00cret", 5, b"secret", ["secret"]],
    ids=["empty", "blank", "newline", "two lines", "not ASCII", "NUL", "int", "bytes", "list"],
)
@pytest.mark.parametrize("is_callable", [False, True], ids=["value", "callable"])
def test_a_key_that_no_header_can_carry_is_refused(key: Any, is_callable: bool) -> None:
    """The error comes early and does not repeat the key."""
    with pytest.raises(ConfigError, match="the api key") as caught:
        Credentials((lambda: key) if is_callable else key, CONFIG).fresh()

    assert "secr" not in str(caught.value)


def test_the_representation_hides_the_key() -> None:
    """It tells only whether there is one."""
    shown = repr(Credentials("secret", CONFIG)), repr(Credentials(None, CONFIG))

    assert shown == ("Credentials(key given)", "Credentials(no key)")


def test_the_tls_context_is_made_once_and_for_https_only() -> None:
    """Socket and REST share one context."""
    credentials = Credentials(None, CONFIG)

    assert credentials.tls_context("http://h") is None
    context = credentials.tls_context("https://h")
    assert context is not None
    assert credentials.tls_context("https://h") is context
