"""What a target amounts to for the checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from evolution_ws import ConfigError
from evolution_ws.cli._arguments import Target
from evolution_ws.cli._site import make_site
from evolution_ws.config import ClientConfig


@pytest.mark.parametrize(
    ("url", "instances", "base", "prefix", "names"),
    [
        ("https://a.example.com", ("x",), "https://a.example.com", "", ("x",)),
        ("wss://a.example.com/api/x", None, "https://a.example.com/api", "/api", ("x",)),
        ("ws://[::1]:8080/x", "*", "http://[::1]:8080/x", "/x", None),
        ("http://a:80/?apikey=k", None, "http://a", "", None),
    ],
    ids=["plain", "named-by-url", "address", "default-port"],
)
def test_make_site(
    url: str,
    instances: tuple[str, ...] | str | None,
    base: str,
    prefix: str,
    names: tuple[str, ...] | None,
) -> None:
    """The pieces of a URL are those that a client takes it for."""
    site = make_site(Target(url, instances, None, ClientConfig()), (), 1)

    assert (base, prefix, names) == (site.base, site.prefix, site.instances)


def test_origin_is_sent() -> None:
    """The Origin header of the configuration is one of the probe's."""
    config = ClientConfig(origin="https://o.example.com", headers={"X-A": "b"})

    site = make_site(Target("http://a", None, None, config), (), 1)

    assert site.probe.headers == {"X-A": "b", "Origin": "https://o.example.com"}


@pytest.mark.parametrize("field", ["verify", "cert"])
def test_files_of_certificates(field: str, tmp_path: Path) -> None:
    """A file that cannot be used is a usage error."""
    config = ClientConfig(**{field: str(tmp_path / "missing.pem")})  # type: ignore[arg-type]

    with pytest.raises(ConfigError, match="certificates"):
        make_site(Target("https://a", None, None, config), (), 1)
