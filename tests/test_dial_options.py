"""TLS contexts and proxies, from the settings of a client."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from evolution_ws import ConfigError
from evolution_ws._dial import is_loopback, make_tls_context, proxy_options


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return an authority of our own."""
    return trustme.CA()


# TLS contexts


def test_certificates_are_verified_by_default() -> None:
    """With the name of the host, by the authorities of system and requests."""
    context = make_tls_context(True, None)

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.cert_store_stats()["x509_ca"] > 50


def test_a_file_of_authorities_replaces_the_others(authority: trustme.CA, tmp_path: Path) -> None:
    """Only what is in it is trusted."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))

    context = make_tls_context(str(path), None)

    assert context.cert_store_stats()["x509_ca"] == 1
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_verification_can_be_switched_off() -> None:
    """For those who know what they do."""
    context = make_tls_context(False, None)

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize("in_one_file", [True, False])
def test_a_client_certificate_is_one_file_or_two(
    authority: trustme.CA, tmp_path: Path, in_one_file: bool
) -> None:
    """As requests has it."""
    leaf = authority.issue_cert("client.example.com")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    leaf.cert_chain_pems[0].write_to_path(str(cert))
    leaf.private_key_pem.write_to_path(str(cert if in_one_file else key), append=in_one_file)

    make_tls_context(True, str(cert) if in_one_file else (str(cert), str(key)))


@pytest.mark.parametrize(
    ("verify", "cert"),
    [("/no/such/ca.pem", None), (True, "/no/such/cert.pem"), (__file__, None), (True, __file__)],
    ids=["no authorities", "no certificate", "not authorities", "not a certificate"],
)
def test_a_file_that_cannot_be_loaded_is_named(verify: bool | str, cert: str | None) -> None:
    """The error tells which setting it was."""
    with pytest.raises(ConfigError, match=r"verify=.*cert=.*cannot be loaded"):
        make_tls_context(verify, cert)


# Proxies


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        pytest.param(None, {}, id="none"),
        pytest.param("", {}, id="empty"),
        pytest.param("http://p:3128", {"host": "p", "port": 3128, "type": "http"}, id="http"),
        pytest.param("p:3128", {"host": "p", "port": 3128, "type": "http"}, id="no scheme"),
        pytest.param("http://p", {"host": "p", "port": 80, "type": "http"}, id="no port"),
        pytest.param("https://p:1", {"host": "p", "port": 1, "type": "http"}, id="https"),
        pytest.param(
            "socks5h://u:p%40ss@p",
            {"host": "p", "port": 1080, "type": "socks5h", "auth": ("u", "p@ss")},
            id="socks with a password",
        ),
        pytest.param(
            "http://u@p:1", {"host": "p", "port": 1, "type": "http", "auth": ("u", "")}, id="user"
        ),
    ],
)
def test_a_proxy_becomes_options(proxy: str | None, expected: dict[str, Any]) -> None:
    """As websocket-client wants them, which decides nothing by itself any more."""
    options = proxy_options(proxy, "https", "api.example.com")

    names = {"host": "http_proxy_host", "port": "http_proxy_port", "type": "proxy_type"}
    names["auth"] = "http_proxy_auth"
    assert {key: options[name] for key, name in names.items() if name in options} == expected
    assert ("http_no_proxy" in options) is bool(expected)


@pytest.mark.parametrize(
    "proxy",
    [
        *("http://", "http://u:secret@:80", "http://u:secret@p:many", "http://u:secret@[p"),
        *("socks://u:secret@p", "ftp://u:secret@p", "http://u:secret@p..q"),
    ],
)
def test_a_proxy_that_cannot_work_is_refused(proxy: str) -> None:
    """The error does not repeat the password."""
    with pytest.raises(ConfigError, match="the proxy's URL") as caught:
        proxy_options(proxy, "http", "h")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "scheme", "host", "expected"),
    [
        pytest.param({}, "http", "h", None, id="none"),
        pytest.param({"https_proxy": "http://p:1"}, "https", "h", 1, id="https"),
        pytest.param({"https_proxy": "http://p:1"}, "http", "h", None, id="other scheme"),
        pytest.param({"http_proxy": "http://p:2"}, "http", "h", 2, id="http"),
        pytest.param({"all_proxy": "http://p:3"}, "https", "h", 3, id="all"),
        pytest.param(
            {"http_proxy": "http://p:2", "no_proxy": "h,x"}, "http", "h", None, id="no proxy"
        ),
        pytest.param({"http_proxy": "http://p:2"}, "http", "localhost", None, id="localhost"),
        pytest.param({"http_proxy": "http://p:2"}, "http", "127.0.0.1", None, id="loopback"),
    ],
)
def test_the_environment_tells_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    scheme: str,
    host: str,
    expected: int | None,
) -> None:
    """By scheme, with its exceptions, and never for this machine itself."""
    for name, text in environ.items():
        monkeypatch.setenv(name, text)

    assert proxy_options("env", scheme, host).get("http_proxy_port") == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("LocalHost", True),
        ("a.localhost", True),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_this_machine_is_recognised(host: str, expected: bool) -> None:
    """By address and by name."""
    assert is_loopback(host) is expected
