"""The exceptions: their tree, their texts, and that they survive pickling."""

from __future__ import annotations

import copy
import pickle

import pytest

from evolution_ws import exceptions
from evolution_ws.exceptions import (
    ApiError,
    AuthenticationError,
    ConfigError,
    ConnectError,
    EvolutionError,
    PayloadTooLarge,
    WebsocketDisabledError,
)


ALL = [getattr(exceptions, name) for name in exceptions.__all__]
PLAIN = [kind for kind in ALL if kind is not ApiError]


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_exception_pickles(kind: type[EvolutionError], protocol: int) -> None:
    """Task queues and process pools hand them over."""
    error = pickle.loads(pickle.dumps(kind("what happened"), protocol))

    assert (type(error), str(error), error.args) == (kind, "what happened", ("what happened",))


@pytest.mark.parametrize(
    "error",
    [ApiError(0), ApiError(404, ("gone",)), ApiError(400, ("a", "b"), "Do this")],
    ids=["bare", "messages", "hint"],
)
def test_an_api_error_pickles_with_its_attributes(error: ApiError) -> None:
    """Status, messages and hint come back as they were, in a copy as well."""
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is ApiError
        assert (twin.status, twin.messages, twin.hint) == (
            error.status,
            error.messages,
            error.hint,
        )
        assert str(twin) == str(error)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ApiError(0), "no answer: no explanation"),
        (ApiError(404, ("gone", "for good")), "HTTP 404: gone; for good"),
        (ApiError(500, (), "Look at the log"), "HTTP 500: no explanation. Look at the log"),
    ],
    ids=["nothing", "messages", "hint"],
)
def test_an_api_error_says_what_is_known(error: ApiError, text: str) -> None:
    """Status, the server's words and the advice make one sentence."""
    assert str(error) == text


def test_messages_become_a_tuple() -> None:
    """A list that changes later changes no error."""
    assert ApiError(400, ["a"]).messages == ("a",)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_one_base_catches_all(kind: type[Exception]) -> None:
    """Each is an EvolutionError and has its purpose written down."""
    assert issubclass(kind, EvolutionError)
    assert kind.__doc__


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        (ConfigError, ValueError),
        (PayloadTooLarge, ValueError),
        (AuthenticationError, ConnectError),
        (WebsocketDisabledError, ConnectError),
    ],
)
def test_the_tree_is_as_documented(kind: type[Exception], parent: type[Exception]) -> None:
    """Handlers may rely on the parents."""
    assert issubclass(kind, parent)


def test_the_module_documents_every_exception() -> None:
    """The tree in the docstring is complete."""
    doc = exceptions.__doc__ or ""

    assert [name for name in exceptions.__all__ if f":exc:`{name}`" not in doc] == []
