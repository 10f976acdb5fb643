"""TLS, proxies and interrupted connections of the REST companion."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import urllib3

from evolution_ws._rest_errors import NoAnswer
from evolution_ws.exceptions import ClientClosed
from tests.rest.rest_server import CEILING, RestServer, get, opened, refused_port, run


pytestmark = pytest.mark.usefixtures("direct")


@pytest.fixture
def authority() -> trustme.CA:
    """Return an authority that no system trusts."""
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[RestServer]:
    """Run a server with a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with RestServer(context).running() as server:
        server.answer("GET", "/x", 7)
        yield server


def test_tls(secure: RestServer, authority: trustme.CA, tmp_path: Path) -> None:
    """A server with a certificate of a named authority is trusted."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))

    with opened(secure.url, verify=str(bundle)) as transport:
        assert get(transport, f"{secure.url}/x") == b"7"


def test_tls_of_the_system(
    secure: RestServer, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's own authorities are trusted, which requests alone would not do."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))

    with opened(secure.url) as transport:
        assert get(transport, f"{secure.url}/x") == b"7"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_tls_unchecked(secure: RestServer) -> None:
    """Any certificate will do when nobody looks."""
    with opened(secure.url, verify=False) as transport:
        assert get(transport, f"{secure.url}/x") == b"7"


def test_tls_untrusted(secure: RestServer) -> None:
    """An unknown authority is refused, once, with the reason."""
    url = f"{secure.url}/x"

    with opened(secure.url) as transport, pytest.raises(NoAnswer, match="unable to get") as caught:
        get(transport, url)
    assert caught.value.kind == "setup"
    assert "verify=" in caught.value.advice
    assert secure.seen == []


def test_tls_of_another_host(authority: trustme.CA, tmp_path: Path) -> None:
    """A certificate for another host is refused, whoever signed it."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("evo.example.test").configure_cert(context)

    with (
        RestServer(context).running() as server,
        opened(server.url, verify=str(bundle)) as transport,
    ):
        with pytest.raises(NoAnswer, match=r"not valid for '127\.0\.0\.1'"):
            get(transport, f"{server.url}/x")
        assert server.seen == []


def test_tls_with_a_plain_server(server: RestServer) -> None:
    """A server without TLS is told by the advice."""
    url = server.url.replace("http:", "https:")

    with opened(url) as transport, pytest.raises(NoAnswer, match="TLS failed") as caught:
        get(transport, url)
    assert "servers without TLS" in caught.value.advice


def test_proxy_by_url(server: RestServer) -> None:
    """A proxy given by its URL is used for every host."""
    server.answer("GET", "/x", 7)

    with opened("http://127.0.0.1:9", proxy=server.url) as transport:
        assert get(transport, "http://127.0.0.1:9/x") == b"7"


def test_proxy_of_the_environment(server: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy is used, except for this machine and when told not to."""
    monkeypatch.setenv("HTTP_PROXY", server.url)
    server.answer("GET", "/x", 7)
    here, there = f"http://127.0.0.1:{refused_port()}/x", "http://evo.invalid/x"

    with opened(there) as transport:
        assert get(transport, there) == b"7"
    with opened(here) as transport, pytest.raises(NoAnswer, match="refused"):
        get(transport, here)
    with opened(here, proxy=None) as transport, pytest.raises(NoAnswer, match="refused"):
        get(transport, here)
    assert len(server.seen) == 1


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("fixture", ["server", "secure"])
def test_close_while_connecting(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, fixture: str
) -> None:
    """A call that is connecting when the transport is closed sends nothing."""
    server: RestServer = request.getfixturevalue(fixture)
    connecting, gate = threading.Event(), threading.Event()
    connect = urllib3.util.connection.create_connection

    def wait(*args: Any, **kwargs: Any) -> socket.socket:
        connecting.set()
        gate.wait(CEILING)
        return connect(*args, **kwargs)

    monkeypatch.setattr("urllib3.util.connection.create_connection", wait)

    with opened(server.url, verify=False) as transport:
        end = run(lambda: get(transport, f"{server.url}/x"))
        assert connecting.wait(CEILING)
        transport.close()
        gate.set()
        raised = end()

    assert isinstance(raised, ClientClosed)
    assert server.seen == []


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_close_ends_what_waits_over_tls(secure: RestServer) -> None:
    """The same holds for a connection that uses TLS."""
    gate = threading.Event()
    secure.answer("GET", "/slow", gate=gate)

    with opened(secure.url, verify=False) as transport:
        end = run(lambda: get(transport, f"{secure.url}/slow", timeout=CEILING))
        assert secure.arrived.wait(CEILING)
        transport.close()
        raised = end()

    gate.set()
    assert isinstance(raised, ClientClosed)


def test_credentials_of_the_user_are_not_sent(
    server: RestServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A password in ~/.netrc is for other programs."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password invented\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", server.url)
    server.answer("GET", "/x", 7)
    url = "http://evo.invalid/x"

    with opened(url) as transport:
        get(transport, url)

    assert "authorization" not in server.seen[0].headers
