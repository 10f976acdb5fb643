"""The errors that the REST interface of an embedded server answers."""

from __future__ import annotations

from http import HTTPStatus

from ._http import HttpAnswer


class RestProblem(Exception):
    """
    Ends the handling of a REST request with an error answer.

    Args:
        status: HTTP status code.
        message: The ``response.message``: a str, a list, or a list in a list.
        error: The ``error``; empty for the usual phrase of *status*.
    """

    def __init__(self, status: int, message: object, error: str = "") -> None:
        super().__init__(status, message, error)
        self.status = status
        self.message = message
        self.error = error or HTTPStatus(status).phrase

    def answer(self) -> HttpAnswer:
        """Return the answer in the server's shape."""
        content = {
            "status": self.status,
            "error": self.error,
            "response": {"message": self.message},
        }
        return HttpAnswer.json(self.status, content)


def no_route(method: str, target: str) -> RestProblem:
    """Return the problem of a request for which there is no route."""
    return RestProblem(404, [f"Cannot {method} {target}"])


def unauthorized() -> RestProblem:
    """Return the problem of a missing or wrong key."""
    return RestProblem(401, "Unauthorized")
