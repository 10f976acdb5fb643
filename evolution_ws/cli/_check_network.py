"""From the URL to the certificate: whether the server can be reached at all."""

from __future__ import annotations

import errno
import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import attrs

from ._findings import Finding, failure, ok, warning
from ._probe import is_loopback
from ._site import Site


# Certificates are renewed weeks before their end; whoever is this late has forgotten it.
_SOON_DAYS = 14

_EXPIRED, _NOT_YET, _OTHER_NAME = 10, 9, 62
# OpenSSL's flags that Python has no name for.
_NO_CHECK_TIME, _PARTIAL_CHAIN = 0x200000, 0x80000


def check_url(site: Site) -> Iterator[Finding]:
    """Tell what was understood of the URL, and whether the key would travel in the clear."""
    names = "all instances" if site.instances is None else ", ".join(site.instances)
    key = "with an api key" if site.key else "without an api key"
    evidence = f"{site.base}, {names}, {key}"
    if site.probe.scheme == "http" and not _is_near(site.probe.host):
        yield warning(
            "url",
            f"{evidence}; messages and key cross the network readable for everybody",
            "Put TLS before the server and use https://",
        )
    else:
        yield ok("url", evidence)


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return is_loopback(host) or "." not in host


def check_proxy(site: Site) -> Iterator[Finding]:
    """Tell which proxy is on the way."""
    proxy = site.probe.proxy
    if proxy is None:
        yield ok("proxy", "none on the way")
        return
    evidence = f"{proxy} ({proxy.origin})"
    try:
        socket.create_connection((proxy.host, proxy.port), site.probe.timeout).close()
    except OSError as exc:
        yield failure(
            "proxy",
            f"{evidence} cannot be reached: {_reason(exc)}",
            "Correct the proxy, add the host to no_proxy, or give --proxy none",
        )
    else:
        yield ok("proxy", evidence)


def check_dns(site: Site) -> Iterator[Finding]:
    """Look the host up, unless a proxy does that or it is an address already."""
    host = site.probe.host
    if site.probe.proxy is not None or _is_address(host):
        return
    try:
        found = _addresses(host, site.probe.port)
    except OSError as exc:
        yield failure(
            "dns",
            f"the host {host} is unknown here ({exc.strerror or exc})",
            "Check the spelling, and the DNS of this machine or container",
        )
    else:
        yield ok("dns", f"{host} is {', '.join(found)}")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


def check_tcp(site: Site) -> Iterator[Finding]:
    """Open a connection to each address, or through the proxy."""
    probe = site.probe
    if probe.proxy is not None:
        yield from _through_proxy(site)
        return
    good: list[str] = []
    bad: list[str] = []
    error: OSError | None = None
    for address in _addresses(probe.host, probe.port):
        started = time.monotonic()
        try:
            socket.create_connection((address, probe.port), probe.timeout).close()
            took = (time.monotonic() - started) * 1000
            good.append(f"{address} port {probe.port} in {took:.0f} ms")
        except OSError as exc:
            error = exc
            bad.append(f"{address} port {probe.port}: {_reason(exc)}")
    if error is None:
        yield ok("tcp", f"connected to {', '.join(good)}")
    elif good and is_loopback(probe.host):
        # That a server listens on one of the two addresses of this machine is usual.
        yield ok("tcp", f"connected to {', '.join(good)}")
    elif good:
        yield warning(
            "tcp",
            f"connected to {', '.join(good)}, but not to {', '.join(bad)}",
            "Take the address that does not work out of the DNS",
        )
    else:
        yield failure("tcp", ", ".join(bad), _tcp_remedy(error))


def _through_proxy(site: Site) -> Iterator[Finding]:
    try:
        site.probe.dial().close()
    except OSError as exc:
        yield failure(
            "tcp",
            f"the proxy opens no connection to {site.probe.host}:{site.probe.port}: {_reason(exc)}",
            "The proxy has to allow CONNECT to that host and port; or give --proxy none",
        )
    else:
        yield ok("tcp", f"connected through the proxy {site.probe.proxy}")


def _reason(exc: OSError) -> str:
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    return exc.strerror or str(exc) or type(exc).__name__


def _tcp_remedy(exc: OSError) -> str:
    if isinstance(exc, ConnectionRefusedError):
        return "Nobody listens there: start the server, or correct the port (its default is 8080)"
    if isinstance(exc, TimeoutError):
        return "A firewall drops the packets, or the address is wrong"
    if exc.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "There is no way to that network from here: check VPN, routes, container network"
    return "Check the address, the port and the firewalls between"


def check_tls(site: Site) -> Iterator[Finding]:
    """Look at the certificate: its authority, its host names, its last day."""
    context = site.probe.context
    if context is None:
        return
    try:
        with site.probe.secure(context) as tls:
            version, certificate = tls.version(), tls.getpeercert() or {}
    except ssl.SSLCertVerificationError as exc:
        yield _rejected(site, exc)
    except OSError as exc:
        yield _no_tls(site, exc)
    else:
        if not certificate:
            yield warning(
                "tls",
                f"{version}, and the certificate is not checked, as was asked for",
                "Name the authority with --ca-file instead of --insecure",
            )
        else:
            yield _accepted(version or "TLS", certificate)


def _accepted(version: str, certificate: dict[str, Any]) -> Finding:
    days = _days_left(certificate)
    evidence = f"{version}, {_about(certificate)}, {days:.0f} days left"
    if days < _SOON_DAYS:
        return warning("tls", evidence, "Renew the certificate, and see why that is not automatic")
    return ok("tls", evidence)


def _rejected(site: Site, exc: ssl.SSLCertVerificationError) -> Finding:
    certificate = _fetch(site)
    about = f" ({_about(certificate)})" if certificate else ""
    host = site.probe.host
    if exc.verify_code == _EXPIRED:
        since = f"{-_days_left(certificate):.0f} days ago" if certificate else "before now"
        evidence = f"the certificate expired {since}{about}"
        return failure("tls", evidence, "Renew it; if it is new, check this machine's clock")
    if exc.verify_code == _NOT_YET:
        evidence = f"the certificate is not valid yet{about}"
        return failure("tls", evidence, "Check the clocks of this machine and of its authority")
    if exc.verify_code == _OTHER_NAME or "mismatch" in exc.verify_message.lower():
        names = ", ".join(_names(certificate)) or "other hosts"
        return failure(
            "tls",
            f"the certificate is for {names}, not for {host}",
            "Use a name that it is for, or have it issued for this host, too",
        )
    return failure(
        "tls",
        f"the certificate is by an authority that is not trusted here: {exc.verify_message}{about}",
        "Name the authority with --ca-file (EVOLUTION_VERIFY); or have the server send the whole "
        "chain, intermediate certificates included",
    )


def _no_tls(site: Site, exc: OSError) -> Finding:
    if _speaks_http(site):
        evidence = f"port {site.probe.port} speaks no TLS, but HTTP as it is"
        return failure("tls", evidence, "Use http:// in the URL, or the port that has TLS")
    reason = exc.reason if isinstance(exc, ssl.SSLError) else None
    return failure(
        "tls",
        f"the TLS handshake failed: {reason or _reason(exc)}",
        "Look at the log of whatever ends TLS there; it may want a client certificate "
        "(EVOLUTION_CERT) or know no such host name",
    )


def _speaks_http(site: Site) -> bool:
    plain = attrs.evolve(site.probe, scheme="http", context=None)
    try:
        # Ports with TLS answer a plain request, too, if only with a complaint.
        return b"HTTPS" not in plain.get("/").body
    except (OSError, http.client.HTTPException):
        return False


def _fetch(site: Site) -> dict[str, Any]:
    """Return the certificate that was not accepted, decoded; empty when it cannot be had."""
    try:
        with site.probe.secure(ssl._create_unverified_context()) as tls:
            raw = tls.getpeercert(binary_form=True) or b""
        # Only a verified certificate is decoded: trust this one, at any time, for any name.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(raw))
        context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME | _PARTIAL_CHAIN)
        with site.probe.secure(context) as tls:
            return dict(tls.getpeercert() or {})
    except (OSError, ValueError):
        return {}


def _about(certificate: dict[str, Any]) -> str:
    names = ", ".join(_names(certificate)[:3]) or "nobody"
    issuer = {key: text for part in certificate.get("issuer", ()) for key, text in part}
    by = issuer.get("organizationName") or issuer.get("commonName") or "an unnamed authority"
    return f"for {names}, by {by}, until {certificate.get('notAfter', '?')}"


def _names(certificate: dict[str, Any]) -> list[str]:
    return [str(name) for _, name in certificate.get("subjectAltName", ())]


def _days_left(certificate: dict[str, Any]) -> float:
    return (ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / 86400
