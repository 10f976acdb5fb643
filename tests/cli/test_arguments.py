"""What arguments and environment amount to."""

from __future__ import annotations

import argparse
import io
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from evolution_ws import ConfigError
from evolution_ws.cli._arguments import (
    add_server,
    count,
    moment,
    not_negative,
    positive,
    split_names,
    target_of,
)


KEY = "invented-key"


def parsed(*argv: str) -> argparse.Namespace:
    """Return the arguments of a command that has a server."""
    parser = argparse.ArgumentParser()
    add_server(parser)
    return parser.parse_args(argv)


def test_arguments_win_over_the_environment() -> None:
    """Each argument has its variable, which counts where the argument is not given."""
    environ = {
        "EVOLUTION_URL": "http://a.example.com",
        "EVOLUTION_INSTANCE": "one, two",
        "EVOLUTION_API_KEY": KEY,
        "EVOLUTION_CONNECT_TIMEOUT": "3",
        "EVOLUTION_VERIFY": "false",
    }

    plain = target_of(parsed(), environ)
    changed = target_of(
        parsed("--url", "http://b.example.com", "-i", "x", "-i", "y,z", "--connect-timeout", "4"),
        environ,
    )

    assert ("http://a.example.com", ("one", "two"), KEY) == (
        plain.url,
        plain.instances,
        plain.api_key,
    )
    assert (plain.config.connect_timeout, plain.config.verify) == (3, False)
    assert ("http://b.example.com", ("x", "y", "z"), 4) == (
        changed.url,
        changed.instances,
        changed.config.connect_timeout,
    )
    assert KEY not in repr(plain)


def test_connection_arguments() -> None:
    """Certificates, proxy and origin reach the client's configuration."""
    target = target_of(
        parsed("--url", "http://a", "--insecure", "--proxy", "NONE", "--origin", "https://o"), {}
    )
    trusting = target_of(parsed("--url", "http://a", "--ca-file", "ca.pem", "--proxy", "p:1"), {})

    assert (False, None, "https://o") == (
        target.config.verify,
        target.config.proxy,
        target.config.origin,
    )
    assert (trusting.config.verify, trusting.config.proxy) == ("ca.pem", "p:1")


@pytest.mark.parametrize(
    ("given", "names"),
    [([], None), (["a,b", " c "], ("a", "b", "c")), (["a", "*"], "*"), ([","], None)],
    ids=["none", "several", "all", "empty"],
)
def test_split_names(given: list[str], names: object) -> None:
    """Names come one by one or with commas; a star means all of them."""
    assert names == split_names(given)


@pytest.mark.parametrize(
    ("url", "instance", "names"),
    [
        ("wss://a.example.com/sales", [], ("sales",)),
        ("wss://a.example.com/sales", ["-i", "*"], None),
        ("https://a.example.com/api", [], None),
        ("https://a.example.com/api", ["-i", "x"], ("x",)),
    ],
    ids=["url", "all", "prefix", "named"],
)
def test_named_instances(url: str, instance: list[str], names: tuple[str, ...] | None) -> None:
    """Instances come from the argument, or from the end of a websocket URL."""
    assert names == target_of(parsed("--url", url, *instance), {}).named_instances()


@pytest.mark.parametrize("instance", ["", "a,b", "*"], ids=["none", "two", "all"])
def test_one_instance_is_needed(instance: str) -> None:
    """What concerns one instance asks for exactly one."""
    target = target_of(parsed("--url", "http://a", "-i", instance), {})

    with pytest.raises(ConfigError, match="name one instance"):
        target.instance()


def test_key_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key may be in a file or come over standard input, and beats the environment's."""
    path = tmp_path / "key"
    path.write_text(f"  {KEY}\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\nmore\n"))
    environ = {"EVOLUTION_API_KEY": "other"}

    for source in (str(path), "-"):
        target = target_of(parsed("--url", "http://a", "--api-key-file", source), environ)
        assert target.api_key == KEY


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"], ids=["missing", "empty", "binary"])
def test_key_file_that_holds_none(tmp_path: Path, content: bytes | None) -> None:
    """A file without a key is complained about by its name."""
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=str(path)):
        target_of(parsed("--url", "http://a", "--api-key-file", str(path)), {})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("1.5h", 5400), ("1d", 86400)],
)
def test_moment_as_a_duration(text: str, seconds: float) -> None:
    """A duration is counted back from now."""
    expected = datetime.now(timezone.utc) - timedelta(seconds=seconds)

    assert abs((moment(text) - expected).total_seconds()) < 5


def test_moment_as_a_time() -> None:
    """A time may have a zone; without one it is this machine's."""
    assert datetime(2026, 1, 31, 8, tzinfo=timezone.utc) == moment("2026-01-31T08:00:00Z")
    assert datetime(2026, 1, 31, 8).astimezone() == moment("2026-01-31T08:00")


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (positive, "0"),
        (positive, "-1"),
        (positive, "inf"),
        (not_negative, "-1"),
        (count, "0"),
        (moment, "yesterday"),
        (moment, "h"),
    ],
)
def test_numbers_and_times_that_make_no_sense(read: object, text: str) -> None:
    """argparse gets an error that it can show."""
    with pytest.raises(argparse.ArgumentTypeError):
        read(text)  # type: ignore[operator]


def test_zero_is_not_negative() -> None:
    """Zero is allowed where it has a meaning."""
    assert (not_negative("0"), not_negative("0.5")) == (0, 0.5)
