"""Encrypted connections and proxies: who is trusted, who is asked, and what is said if not."""

from __future__ import annotations

import ssl
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
import trustme

from evolution_ws import ClientClosed, ConfigError, ConnectError
from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import PROMPT, assert_closes, free_port, make_client
from tests.helpers import in_thread, wait_until
from tests.raw_server import Peer, RawServer
from tests.relay import Relay


KEY = "key-of-the-tests-0001"


@attrs.frozen
class Authority:
    """A certificate authority, as files that a client may be given."""

    ca: trustme.CA
    path: str
    client_cert: str

    def server_context(self, *names: str, wants_cert: bool = False) -> ssl.SSLContext:
        """Return the context of a server with these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(context)
        if wants_cert:
            context.verify_mode = ssl.CERT_REQUIRED
            self.ca.configure_trust(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that this machine does not know."""
    folder = tmp_path_factory.mktemp("authority")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    cert = ca.issue_cert("client@example.com")
    cert.private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))
    return Authority(ca, str(folder / "ca.pem"), str(folder / "client.pem"))


@pytest.fixture
def front(server: FakeEvolutionServer, authority: Authority) -> Iterator[Relay]:
    """Return a TLS front of the server, for the name localhost."""
    with Relay(f"127.0.0.1:{server.port}", tls=authority.server_context("localhost")) as relay:
        yield relay


def hold(peer: Peer) -> None:
    """Serve a client that is told nothing."""
    peer.until_gone()


def assert_works(server: FakeEvolutionServer, url: str, **options: Any) -> None:
    """Demand that events, text and binary, and emits pass in both directions."""
    with make_client(url, **options) as client:
        for seq in range(50):
            server.emit("messages.upsert", {"seq": seq, "blob": bytes(20_000)}, store=False)
        client.emit("x", b"y" * 100_000)

        assert [e.data["seq"] for e in client.events(limit=50)] == list(range(50))
        assert server.wait_for_emit()[-1].args == [b"y" * 100_000]


# Certificates


def test_an_authority_of_ones_own(
    server: FakeEvolutionServer, front: Relay, authority: Authority
) -> None:
    """verify= names the authority to trust; the connection is encrypted and works."""
    assert_works(server, f"https://localhost:{front.port}", verify=authority.path)


def test_an_unknown_authority_is_refused(front: Relay) -> None:
    """A certificate that nobody vouches for is refused, and the error says what helps."""
    client = make_client(f"https://localhost:{front.port}", api_key=KEY)
    with pytest.raises(ConnectError, match="Name its authority with verify=") as caught:
        client.connect()

    assert KEY not in str(caught.value)


def test_a_wrong_name_is_refused(front: Relay, authority: Authority) -> None:
    """A certificate for another name is refused, whoever vouches for it."""
    client = make_client(f"https://127.0.0.1:{front.port}", verify=authority.path)
    with pytest.raises(ConnectError, match=r"not valid for '127\.0\.0\.1'"):
        client.connect()


def test_verification_can_be_switched_off(server: FakeEvolutionServer, front: Relay) -> None:
    """verify=False accepts any certificate and any name."""
    assert_works(server, f"https://127.0.0.1:{front.port}", verify=False)


def test_a_client_certificate(server: FakeEvolutionServer, authority: Authority) -> None:
    """cert= is shown to a server that asks for it; without one the server refuses."""
    context = authority.server_context("localhost", wants_cert=True)
    with Relay(f"127.0.0.1:{server.port}", tls=context) as front:
        url = f"https://localhost:{front.port}"
        assert_works(server, url, verify=authority.path, cert=authority.client_cert)
        assert "client@example.com" in str(front.peers[0])

        with pytest.raises(ConnectError):
            make_client(url, verify=authority.path).connect()


@pytest.mark.parametrize("options", [{"verify": "/no/ca.pem"}, {"cert": "/no/cert.pem"}])
def test_a_missing_file_is_named(options: dict[str, str]) -> None:
    """A file that cannot be loaded is a mistake of the settings, said at once."""
    with pytest.raises(ConfigError, match="/no/"):
        make_client("https://127.0.0.1:9", **options).connect()


def test_plain_http_behind_https(server: FakeEvolutionServer) -> None:
    """https:// before a port that speaks plainly is explained."""
    with pytest.raises(ConnectError, match="Is it http:// behind that port"):
        make_client(server.url.replace("http", "https")).connect()


def test_closing_in_the_middle_of_a_tls_handshake() -> None:
    """A server that takes the connection and never shakes hands does not hold close() up."""
    with RawServer(hold) as silent:
        client = make_client(silent.url.replace("http", "https"), connect_timeout=60)
        connecting = in_thread(client.connect)
        wait_until(lambda: silent.connections)

        assert_closes(client)
        with pytest.raises(ClientClosed):
            connecting.result()


def test_a_frozen_server_behind_tls(
    server: FakeEvolutionServer, front: Relay, authority: Authority
) -> None:
    """close() is as prompt over TLS as without, when the server is dead."""
    client = make_client(f"https://localhost:{front.port}", verify=authority.path).connect()
    server.freeze()
    client.emit("x", "y" * 500_000)

    assert_closes(client)


# Proxies


@pytest.fixture
def proxy() -> Iterator[Relay]:
    """Return a proxy that takes CONNECT, and leads every host to this machine."""
    with Relay() as relay:
        yield relay


def test_a_proxy_carries_everything(server: FakeEvolutionServer, proxy: Relay) -> None:
    """proxy= sends the connection through a proxy, which gets the server's name."""
    url = f"http://api.example.com:{server.port}"
    assert_works(server, url, proxy=f"http://{proxy.address}")

    assert proxy.requests == [f"CONNECT api.example.com:{server.port}"]


def test_a_proxy_with_a_password(server: FakeEvolutionServer) -> None:
    """User and password of the proxy's URL are shown to it, and to nobody else."""
    with Relay(credentials="ana:p@ss") as proxy:
        url = f"http://api.example.com:{server.port}"
        assert_works(server, url, proxy=f"http://ana:p%40ss@{proxy.address}")

        client = make_client(url, proxy=f"http://ana:wrong-secret@{proxy.address}")
        with pytest.raises(ConnectError, match="the proxy on the way to") as caught:
            client.connect()
        assert "wrong-secret" not in str(caught.value)


def test_tls_through_a_proxy(
    server: FakeEvolutionServer, proxy: Relay, authority: Authority
) -> None:
    """Behind a proxy the certificate is checked as it is without one."""
    context = authority.server_context("api.example.com")
    with Relay(f"127.0.0.1:{server.port}", tls=context) as front:
        url = f"https://api.example.com:{front.port}"
        through = f"http://{proxy.address}"
        assert_works(server, url, proxy=through, verify=authority.path)

        with pytest.raises(ConnectError, match="was not accepted"):
            make_client(url, proxy=through).connect()
        other = url.replace("api.", "evil.")
        with pytest.raises(ConnectError, match="was not accepted"):
            make_client(other, proxy=through, verify=authority.path).connect()


def test_the_environment_names_a_proxy(
    server: FakeEvolutionServer, proxy: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default http_proxy is followed, no_proxy and proxy=None are not led through it."""
    monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
    assert_works(server, f"http://api.example.com:{server.port}")
    assert len(proxy.requests) == 1

    monkeypatch.setenv("no_proxy", "localhost.invalid")
    with pytest.raises(ConnectError):
        make_client(f"http://localhost.invalid:{server.port}").connect()
    with pytest.raises(ConnectError):
        make_client(f"http://other.invalid:{server.port}", proxy=None).connect()
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_never_led_through_a_proxy_of_the_environment(
    server: FakeEvolutionServer, proxy: Relay, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """A server on this machine is reached directly, whatever the environment says."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://{proxy.address}")
    assert_works(server, f"http://{host}:{server.port}")

    assert proxy.requests == []


@pytest.mark.parametrize(
    ("scheme", "host"), [("socks5h", "api.example.com"), ("socks5", "127.0.0.1")]
)
def test_a_socks_proxy_carries_everything(
    server: FakeEvolutionServer, scheme: str, host: str
) -> None:
    """Socket and REST both go through it, to the name or to the address."""
    pytest.importorskip("python_socks", reason="python-socks is not installed")
    url = f"http://{host}:{server.port}"
    with Relay(socks=True) as proxy:
        through = f"{scheme}://{proxy.address}"
        assert_works(server, url, proxy=through)
        before = list(proxy.requests)
        [instance] = make_client(url, proxy=through).api.instances()

    assert before == [f"CONNECT {host}:{server.port}"]
    assert proxy.requests == before * 2
    assert instance.name == "sales"


def test_tls_through_a_socks_proxy(server: FakeEvolutionServer, authority: Authority) -> None:
    """Behind it the certificate is checked as it is without one."""
    pytest.importorskip("python_socks", reason="python-socks is not installed")
    context = authority.server_context("api.example.com")
    with (
        Relay(f"127.0.0.1:{server.port}", tls=context) as front,
        Relay(socks=True) as proxy,
    ):
        url = f"https://api.example.com:{front.port}"
        through = f"socks5h://{proxy.address}"
        assert_works(server, url, proxy=through, verify=authority.path)

        with pytest.raises(ConnectError, match="was not accepted"):
            make_client(url, proxy=through).connect()


def test_a_socks_proxy_without_what_speaks_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "python_socks", None)
    client = make_client("http://api.example.com", proxy="socks5h://127.0.0.1:9")
    with pytest.raises(ConfigError, match=r"pip install 'evolution-ws\[socks\]'"):
        client.connect()


def test_a_proxy_that_is_not_there() -> None:
    """A proxy that nobody runs is named as what failed."""
    client = make_client("http://api.example.com", proxy=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ConnectError, match=r"the proxy on the way to .* Connection refused"):
        client.connect()


def _drip(peer: Peer) -> None:
    peer.head()
    peer.raw(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    peer.drip(b"a")


def _flood(peer: Peer) -> None:
    peer.head()
    while True:
        peer.raw(b"a" * 65_536)


def _answers(data: bytes) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.head()
        peer.raw(data)

    return script


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param(hold, "time", id="silent"),
        pytest.param(_drip, "time", id="dripping"),
        pytest.param(_flood, "does not end", id="endless"),
        pytest.param(_answers(b""), "it hung up", id="hangs-up"),
        pytest.param(_answers(b"HTTP/1.1 403 No\r\n\r\n"), "HTTP/1.1 403 No", id="forbids"),
        pytest.param(_answers(b"SSH-2.0-x\x1b[1m\r\n\r\n"), "SSH-2.0-x", id="no-proxy"),
    ],
)
def test_a_proxy_that_does_not_lead_on(script: Callable[[Peer], None], words: str) -> None:
    """Whatever a proxy does instead of its work ends the attempt in time, and is told."""
    with RawServer(script) as proxy:
        limit = 0.5 if words == "time" else 30
        client = make_client("http://api.example.com", proxy=proxy.url, connect_timeout=limit)
        begin = time.monotonic()
        with pytest.raises(ConnectError, match=f"the proxy on the way to .*{words}"):
            client.connect()

        assert time.monotonic() - begin < PROMPT
        assert_closes(client)


@pytest.mark.parametrize("script", [hold, _drip], ids=["silent", "dripping"])
def test_closing_while_a_proxy_is_silent(script: Callable[[Peer], None]) -> None:
    """close() cuts an attempt that waits for a proxy."""
    with RawServer(script) as proxy:
        client = make_client("http://api.example.com", proxy=proxy.url, connect_timeout=60)
        client._core.start()
        wait_until(lambda: proxy.connections)

        assert_closes(client)
