"""A real nginx before a server, as people have it in production."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.tools import CEILING


_CONFIG = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port} {ssl};
        {certificate}
        {locations}
    }}
}}
"""

_UPGRADE = """
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";"""


def require_nginx() -> str:
    """Return nginx's path, or skip the test; with ``CI=true`` in the environment fail it."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    if found is None:
        reason = "no nginx found: install Debian's package nginx-light or nginx"
        if os.environ.get("CI") == "true":
            pytest.fail(f"needed on CI: {reason}", pytrace=False)
        pytest.skip(reason)
    return found


def location(upstream: str, path: str = "/", *, upgrade: bool = True) -> str:
    """Return the configuration that passes *path* on to the server at *upstream*."""
    headers = _UPGRADE if upgrade else ""
    return f"location {path} {{\n            proxy_pass {upstream}/;{headers}\n        }}\n"


@contextmanager
def nginx(directory: Path, locations: str, *, certificate: Path | None = None) -> Iterator[str]:
    """
    Run nginx on a free port and give its address.

    Args:
        directory: Where its files go.
        locations: What it does with requests.
        certificate: A file with key and certificates; None serves without TLS.
    """
    program, port = require_nginx(), _free_port()
    files = f"ssl_certificate {certificate}; ssl_certificate_key {certificate};"
    config = directory / f"nginx-{port}.conf"
    config.write_text(
        _CONFIG.format(
            directory=directory,
            port=port,
            ssl="ssl" if certificate else "",
            certificate=files if certificate else "",
            locations=locations,
        )
    )
    process = subprocess.Popen([program, "-p", str(directory), "-c", str(config)])
    try:
        _wait_for(port, process)
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(CEILING)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + CEILING
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, "nginx did not start"
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.01)
