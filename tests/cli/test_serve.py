"""The embedded server as a command."""

from __future__ import annotations

import signal
import time

import pytest

from evolution_ws import AuthenticationError, Client
from tests.cli.tools import CEILING, Running, run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_serve_prints_its_url_and_ends_cleanly(number: signal.Signals) -> None:
    """The first line is the URL; Ctrl-C and SIGTERM end it with 0 and no traceback."""
    with Running("serve", "--instance", "sales") as serve:
        url = serve.wait_for_lines(2)[0]
        with Client(url, "sales") as client:
            assert client.is_connected
        serve.signal(number)
        done = serve.wait()

    assert done.code == 0
    assert done.lines[-1] == "stopped"
    assert done.err == ""


def test_serve_streams_at_the_rate_that_was_asked_for() -> None:
    """With --rate the instances' events come steadily, in turn."""
    with Running("serve", "--instance", "sales,support", "--rate", "50") as serve:
        url = serve.wait_for_lines(1)[0]
        with Client(url, ["sales", "support"]) as client:
            started = time.monotonic()
            events = list(client.events(limit=50, timeout=CEILING))
            took = time.monotonic() - started

    assert len(events) == 50
    assert {"sales", "support"} == {event.instance for event in events}
    assert took > 0.5


def test_serve_global_sends_everything_on_the_root() -> None:
    """With --global a client of all instances gets events."""
    with Running("serve", "--global", "--rate", "20") as serve:
        url = serve.wait_for_lines(1)[0]
        with Client(url) as client:
            event = client.get(timeout=CEILING)

    assert (event.instance, event.namespace) == ("demo", "/")


def test_serve_asks_for_the_key_of_the_environment() -> None:
    """A key makes the server refuse others, and is not printed."""
    with Running("serve", EVOLUTION_API_KEY="invented-key") as serve:
        lines = serve.wait_for_lines(2)
        with pytest.raises(AuthenticationError):
            Client(lines[0], "demo", api_key="other").connect()
        with Client(lines[0], "demo", api_key="invented-key") as client:
            assert client.is_connected

    assert "asks for the api key" in lines[1]
    assert "invented-key" not in "\n".join(lines)


def test_serve_complains_about_a_taken_port() -> None:
    """A port that is taken is said so, with the code of a failure."""
    with Running("serve") as serve:
        port = serve.wait_for_lines(1)[0].rpartition(":")[2]
        done = run("serve", "--port", port)

    assert done.code == 1
    assert "in use" in done.err
