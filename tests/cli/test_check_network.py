"""The checks between URL and certificate, against real listeners."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme

from evolution_ws.cli._check_network import _reason, _tcp_remedy
from evolution_ws.testing import FakeEvolutionServer
from tests.cli.doctoring import diagnose
from tests.cli.listeners import listener
from tests.cli.nginx import location, nginx
from tests.cli.tools import CEILING


NOW = datetime.now(timezone.utc)


@contextmanager
def tls_listener(certificate: trustme.LeafCert) -> Iterator[str]:
    """Shake hands with *certificate* with whoever connects, and say nothing more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with listener(lambda sock: _shake_hands(context, sock)) as port:
        yield f"https://127.0.0.1:{port}"


def _shake_hands(context: ssl.SSLContext, sock: socket.socket) -> None:
    try:
        with context.wrap_socket(sock, server_side=True) as tls:
            tls.recv(1)
    except OSError:  # the other side does not like the certificate
        pass


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return an authority that nobody knows."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    """Return the file of that authority."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def test_unknown_authority(authority: trustme.CA) -> None:
    """A certificate by an authority of one's own is told from an expired one."""
    with tls_listener(authority.issue_cert("127.0.0.1")) as url:
        check, evidence, remedy = diagnose(url).cause

    assert check == "tls"
    assert "not trusted here" in evidence
    assert "127.0.0.1" in evidence
    assert "--ca-file" in remedy


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_expired(authority: trustme.CA, ca_file: Path, known: bool) -> None:
    """An expired certificate is named so, with the day on which it ended."""
    certificate = authority.issue_cert(
        "127.0.0.1", not_before=NOW - timedelta(days=90), not_after=NOW - timedelta(days=3)
    )
    with tls_listener(certificate) as url:
        check, evidence, _ = diagnose(url, *(["--ca-file", ca_file] if known else [])).cause

    assert check == "tls"
    if known:
        assert "expired 3 days ago" in evidence
    else:
        assert "not trusted" in evidence or "expired" in evidence


def test_not_valid_yet(authority: trustme.CA, ca_file: Path) -> None:
    """A certificate of the future hints at the clocks."""
    certificate = authority.issue_cert(
        "127.0.0.1", not_before=NOW + timedelta(days=2), not_after=NOW + timedelta(days=90)
    )
    with tls_listener(certificate) as url:
        _, evidence, remedy = diagnose(url, "--ca-file", ca_file).cause

    assert "not valid yet" in evidence
    assert "clock" in remedy


def test_wrong_host(authority: trustme.CA, ca_file: Path) -> None:
    """A certificate of another host is told, with the names that it has."""
    with tls_listener(authority.issue_cert("api.example.com")) as url:
        _, evidence, _ = diagnose(url, "--ca-file", ca_file).cause

    assert "the certificate is for api.example.com, not for 127.0.0.1" in evidence


def test_no_tls_behind_the_port() -> None:
    """https:// to a port without TLS says so."""
    with FakeEvolutionServer() as server:
        check, evidence, remedy = diagnose(server.url.replace("http", "https")).cause

    assert check == "tls"
    assert "speaks no TLS" in evidence
    assert "http://" in remedy


def test_handshake_that_breaks_off() -> None:
    """A connection that ends in the handshake is no matter of the certificate."""
    with listener(lambda sock: sock.recv(1)) as port:
        check, evidence, _ = diagnose(f"https://127.0.0.1:{port}").cause

    assert check == "tls"
    assert "handshake failed" in evidence


def test_tls_before_no_tls(authority: trustme.CA) -> None:
    """http:// to a port with TLS is told to use https://."""
    with tls_listener(authority.issue_cert("127.0.0.1")) as url:
        check, _, remedy = diagnose(url.replace("https", "http")).cause

    assert check == "server"
    assert "https://" in remedy


@pytest.mark.parametrize(
    ("days", "status"), [(60, "ok"), (5, "warning")], ids=["long", "soon-over"]
)
def test_the_whole_way_over_tls(
    authority: trustme.CA, ca_file: Path, tmp_path: Path, days: int, status: str
) -> None:
    """Behind nginx with TLS everything is examined; a certificate that ends soon is a warning."""
    pem = tmp_path / "server.pem"
    certificate = authority.issue_cert("127.0.0.1", not_after=NOW + timedelta(days=days, hours=1))
    certificate.private_key_and_cert_chain_pem.write_to_path(str(pem))
    with (
        FakeEvolutionServer(instances=("sales",)) as server,
        nginx(tmp_path, location(server.url), certificate=pem) as url,
    ):
        found = diagnose(url, "--ca-file", ca_file)
        careless = diagnose(url, "--insecure")

    assert status == found.of("tls")["status"]
    assert f"{days} days left" in found.of("tls")["evidence"]
    assert found.of("socket")["status"] == "ok"
    assert found.of("namespace")["status"] == "ok"
    assert "not checked" in careless.of("tls")["evidence"]
    assert careless.of("socket")["status"] == "ok"


def test_readable_for_everybody() -> None:
    """http:// to a host that is not near is a warning."""
    found = diagnose("http://api.invalid")

    assert found.of("url")["status"] == "warning"
    assert "https://" in found.of("url")["remedy"]


@contextmanager
def http_proxy(status: str = "200 Connection established") -> Iterator[str]:
    """Run a proxy that takes every host for this machine, or answers CONNECT with *status*."""

    def serve(sock: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (piece := sock.recv(1024)):
            head += piece
        if not head:  # somebody only looks whether the port is open
            return
        method, goal = head.split()[:2]
        if method != b"CONNECT":  # REST is passed on request by request
            origin = b"/".join(goal.split(b"/")[:3])
            _relay(sock, origin, head.replace(origin, b"", 1))
            return
        sock.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())
        if status.startswith("200"):
            _relay(sock, goal, b"")

    with listener(serve) as port:
        yield f"http://user:invented-password@127.0.0.1:{port}"


def _relay(sock: socket.socket, address: bytes, head: bytes) -> None:
    port = int(address.rpartition(b":")[2])
    with socket.create_connection(("127.0.0.1", port)) as goal:
        goal.sendall(head)
        back = threading.Thread(target=_pump, args=(goal, sock), daemon=True)
        back.start()
        _pump(sock, goal)
        back.join(CEILING)


def _pump(source: socket.socket, goal: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            goal.sendall(piece)
        goal.shutdown(socket.SHUT_WR)
    except OSError:  # one side is gone
        pass


def test_proxy_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows is reached through the proxy of the environment, whose password is hidden."""
    with FakeEvolutionServer(instances=("sales",)) as server, http_proxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        url = server.url.replace("127.0.0.1", "evolution.internal")
        found = diagnose(url, "--connect-timeout", 5)

    assert "http_proxy in the environment" in found.of("proxy")["evidence"]
    assert "through the proxy" in found.of("tcp")["evidence"]
    assert found.of("server")["status"] == "ok"
    assert found.of("socket")["status"] == "ok"
    assert "invented-password" not in str(found.findings)


def test_proxy_that_refuses() -> None:
    """A proxy that does not allow the connection is the cause."""
    with http_proxy("403 Forbidden") as proxy:
        check, evidence, remedy = diagnose("http://evolution.internal", "--proxy", proxy).cause

    assert check == "tcp"
    assert "403" in evidence
    assert "CONNECT" in remedy


def test_proxy_that_is_not_there() -> None:
    """A proxy that cannot be reached is the cause, and not the server behind it."""
    check, evidence, remedy = diagnose("http://evolution.internal", "--proxy", "127.0.0.1:1").cause

    assert check == "proxy"
    assert "the configuration" in evidence
    assert "no_proxy" in remedy


def test_host_with_two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that does not work beside one that does is a warning."""
    original = socket.getaddrinfo

    def resolve(host: str, port: int, *args: object, **options: object) -> object:
        if host != "evolution.invalid":
            return original(host, port, *args, **options)  # type: ignore[arg-type]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("127.0.0.1", "127.0.0.2")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with FakeEvolutionServer(instances=("sales",)) as server:
        found = diagnose(server.url.replace("127.0.0.1", "evolution.invalid"))

    assert "127.0.0.1, 127.0.0.2" in found.of("dns")["evidence"]
    assert found.of("tcp")["status"] == "warning"
    assert "but not to 127.0.0.2" in found.of("tcp")["evidence"]


def test_name_of_this_machine() -> None:
    """That a server listens on one of localhost's addresses only is nothing to complain about."""
    with FakeEvolutionServer(instances=("sales",)) as server:
        found = diagnose(server.url.replace("127.0.0.1", "localhost"))

    assert found.of("dns")["status"] == "ok"
    assert found.of("tcp")["status"] == "ok"


@pytest.mark.parametrize(
    ("exc", "advice"),
    [
        (ConnectionRefusedError(), "start the server"),
        (TimeoutError(), "firewall"),
        (OSError(errno.EHOSTUNREACH, "no route"), "VPN"),
        (OSError(errno.EACCES, "permission"), "firewalls between"),
    ],
    ids=["refused", "timeout", "unreachable", "other"],
)
def test_remedies_of_tcp(exc: OSError, advice: str) -> None:
    """Each way in which a connection fails has its own advice."""
    assert advice in _tcp_remedy(exc)
    assert _reason(exc)
