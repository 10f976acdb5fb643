"""The example project in real servers: runserver, and gunicorn with each kind of worker."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests


pytest.importorskip("django")

from evolution_ws.testing import FakeEvolutionServer, build
from tests.helpers import wait_until
from tests.integrations.web_processes import (
    EXAMPLES,
    Process,
    free_port,
    get,
    need_module,
    python,
    started,
    streaming,
    wait_for_site,
)
from tests.integrations.web_tools import next_event, next_state, parse_frames


PROJECT = EXAMPLES / "django_project"


@pytest.fixture
def environ(server: FakeEvolutionServer, tmp_path: Path) -> dict[str, str]:
    """Return the environment of the project, with a database that has its tables."""
    server.api_key = "k3y"
    found = {
        "EVOLUTION_URL": server.url,
        "EVOLUTION_INSTANCE": "sales",
        "EVOLUTION_API_KEY": "k3y",
        "DJANGO_DATABASE": str(tmp_path / "db.sqlite3"),
    }
    with started(python("manage.py", "migrate", "--verbosity", "0"), PROJECT, found) as migrate:
        assert migrate.end(None) == 0, migrate.output
    return found


@contextmanager
def site(command: list[str], environ: dict[str, str], port: int) -> Iterator[tuple[Process, str]]:
    """Run a web server, and yield it with its address."""
    url = f"http://127.0.0.1:{port}"
    with started(command, PROJECT, environ) as process:
        wait_for_site(url + "/reply/", process)
        yield process, url


def gunicorn(port: int, *options: str) -> list[str]:
    """Return a command that serves the project."""
    need_module("gunicorn")
    common = ["--bind", f"127.0.0.1:{port}", "--graceful-timeout", "20", *options]
    return python("-m", "gunicorn", *common)


def gevent_config(folder: Path) -> Path:
    """Return the project's configuration for gevent workers: it has to patch before all else."""
    need_module("gevent")
    file = folder / "gunicorn_gevent.conf.py"
    patch = "from gevent import monkey\n\nmonkey.patch_all()\n"
    project = (PROJECT / "gunicorn.conf.py").read_text(encoding="utf-8")
    file.write_text(patch + project.replace('"gthread"', '"gevent"'), encoding="utf-8")
    return file


def reply(url: str, text: str) -> requests.Response:
    """Send an answer as the page does."""
    with requests.Session() as session:
        page = session.get(url, timeout=30).text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None, page
        form = {"csrfmiddlewaretoken": token[1], "instance": "sales", "chat": "5511900000009"}
        return session.post(url + "/reply/", {**form, "text": text}, timeout=30)


def check_site(url: str, server: FakeEvolutionServer) -> None:
    """See a message arrive in a stream, and answer it."""
    with streaming(url + "/events/") as chunks:
        frames = parse_frames(chunks)
        next_state(frames, "open")
        server.emit(build.text("Bom dia", instance="sales"))
        shown = next_event(frames)
        answer = reply(url, "Olá")
        sent = next_event(frames)

    assert shown.data["text"] == "Bom dia"
    assert answer.status_code == 200, answer.text
    assert (sent.data["text"], sent.data["fromMe"]) == ("Olá", True)


def test_listener_stores_messages(environ: dict[str, str], server: FakeEvolutionServer) -> None:
    """The command receives, the receiver stores, the page shows; SIGTERM is a normal end."""
    with started(python("manage.py", "evolution_listen"), PROJECT, environ) as listener:
        server.wait_for_client("sales")
        for text in ("um", "dois", "tres"):
            server.emit(build.text(text, instance="sales"))
        port = free_port()
        command = python("manage.py", "runserver", "--noreload", f"127.0.0.1:{port}")
        with site(command, environ, port) as (_, url):
            wait_until(lambda: "tres" in get(url).text)
            page = get(url).text
        code = listener.end(signal.SIGTERM)

    assert page.index("um") < page.index("dois") < page.index("tres")
    assert code == 0, listener.output
    assert "stopped: 3 events handled, 0 failures" in listener.output


def test_listener_ends_at_ctrl_c_while_the_server_is_down(
    environ: dict[str, str], server: FakeEvolutionServer
) -> None:
    """A server that cannot be reached is told and tried again; Ctrl-C is a normal end."""
    server.stop()
    with started(python("manage.py", "evolution_listen"), PROJECT, environ) as listener:
        listener.wait_for("no connection: ", 2)
        code = listener.end(signal.SIGINT)

    assert code == 0, listener.output
    assert "k3y" not in listener.output


def test_refused_key_has_an_exit_code(environ: dict[str, str], server: FakeEvolutionServer) -> None:
    """The command's exit code is that of the error."""
    wrong = {**environ, "EVOLUTION_API_KEY": "wr0ng"}
    with started(python("manage.py", "evolution_listen"), PROJECT, wrong) as listener:
        code = listener.end(None)

    assert code == 77, listener.output
    assert "wr0ng" not in listener.output


def test_runserver_with_autoreload(environ: dict[str, str], server: FakeEvolutionServer) -> None:
    """Nothing connects before a page asks, then one connection serves; both processes end."""
    port = free_port()
    with site(python("manage.py", "runserver", f"127.0.0.1:{port}"), environ, port) as (_, url):
        before = len(server.clients)
        check_site(url, server)
        during = len(server.clients)

    assert (before, during) == (0, 1)
    wait_until(lambda: server.clients == [])


@pytest.mark.parametrize(
    "options",
    [
        ["--worker-class", "gthread", "--threads", "8"],
        ["--worker-class", "gevent"],
        ["--worker-class", "gthread", "--threads", "8", "--workers", "2", "--preload"],
        ["--worker-class", "gevent", "--preload"],
    ],
    ids=["gthread", "gevent", "gthread-preload", "gevent-preload"],
)
def test_gunicorn(
    options: list[str], environ: dict[str, str], server: FakeEvolutionServer, tmp_path: Path
) -> None:
    """Each kind of worker streams and answers, and ends gracefully with a stream open."""
    if "gevent" in options:
        options = [*options, "--config", str(gevent_config(tmp_path))]
    port = free_port()
    with site(gunicorn(port, *options), environ, port) as (process, url):
        before = len(server.clients)
        check_site(url, server)
        workers = int(options[options.index("--workers") + 1]) if "--workers" in options else 1
        with streaming(url + "/events/") as chunks:
            next_state(parse_frames(chunks), "open")
            connections = len(server.clients)
            code = process.end(signal.SIGTERM)

    assert before == 0
    assert 1 <= connections <= workers
    assert code == 0, process.output
    assert "Traceback" not in process.output
    # Killed workers would be told of: streams have to end when they are asked to.
    assert "SIGKILL" not in process.output
    wait_until(lambda: server.clients == [])


def test_gunicorn_sync_workers_get_short_streams(
    environ: dict[str, str], server: FakeEvolutionServer
) -> None:
    """A worker without threads is not held for long: the stream ends, the browser comes back."""
    port = free_port()
    options = ["--worker-class", "sync", "--threads", "1", "--workers", "2"]
    with site(gunicorn(port, *options), environ, port) as (process, url):
        with streaming(url + "/events/") as chunks:
            frames = parse_frames(chunks)
            next_state(frames, "open")
            answer = reply(url, "Olá")
            sent = next_event(frames)
            rest = list(frames)
        code = process.end(signal.SIGTERM)

    assert answer.status_code == 200, answer.text
    assert sent.data["text"] == "Olá"
    assert [frame for frame in rest if frame.event != "state"] == []
    assert "serves one request at a time" in process.output
    assert code == 0, process.output
    wait_until(lambda: server.clients == [])


def test_gunicorn_restarts_gracefully(environ: dict[str, str], server: FakeEvolutionServer) -> None:
    """SIGHUP replaces the workers: streams end and come back, the old connection is closed."""
    port = free_port()
    with site(gunicorn(port), environ, port) as (process, url):
        with streaming(url + "/events/") as chunks:
            frames = parse_frames(chunks)
            next_state(frames, "open")
            server.emit(build.text("antes", instance="sales"))
            last = next_event(frames)
            process.send(signal.SIGHUP)
            rest = list(frames)
        with streaming(url + "/events/", **{"Last-Event-ID": str(last.id)}) as chunks:
            frames = parse_frames(chunks)
            gap = [next(frames).event for _ in range(2)]
            next_state(frames, "open")
            server.emit(build.text("depois", instance="sales"))
            again = next_event(frames)
        connections = len(server.clients)

    assert "message" not in [frame.event for frame in rest]
    assert gap == ["message", "gap"]
    assert again.data["text"] == "depois"
    assert connections == 1
