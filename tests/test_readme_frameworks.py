"""Commands of the READMEs that need a project, a site or a broker around them, run in one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from celery import Celery

from evolution_ws.testing import FakeEvolutionServer, build

from .core_tools import ROOT, free_port
from .helpers import wait_until
from .integrations.celery_tools import RedisServer
from .integrations.web_processes import (
    PATIENCE,
    Process,
    get,
    need_module,
    started,
    streaming,
    wait_for_site,
)
from .integrations.web_tools import next_event, next_state, parse_frames
from .readme_tools import KEY, block_of, commands_of, environment, for_server


DJANGO = "python manage.py evolution_listen --durable inbox.db"
FLASK = "flask --app app evolution listen --durable inbox.db"
LIVE_PAGE = "pip install 'evolution-ws[flask]'"
CELERY = "export EVOLUTION_URL=https://api.example.com EVOLUTION_INSTANCE=sales EVOLUTION_API_KEY=your-key"  # noqa: E501 - the line as it stands there

# What a new project of Django has, as far as the READMEs' settings and receivers need it.
MANAGE = """
import os, sys
from django.core.management import execute_from_command_line
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
execute_from_command_line(sys.argv)
"""
SETTINGS = """
INSTALLED_APPS += ["project.apps.ProjectConfig"]
SECRET_KEY = "of-a-test"
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
"""
APPS = """
from django.apps import AppConfig

class ProjectConfig(AppConfig):
    name = "project"

    def ready(self):
        from . import receivers
"""

each_readme = pytest.mark.parametrize(
    "readme", [pytest.param(ROOT / name, id=name) for name in ("README.md", "README.pt-BR.md")]
)
each_end = pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"]
)


@pytest.fixture
def guarded_server() -> Iterator[FakeEvolutionServer]:
    """Return a server that asks for the READMEs' key."""
    with FakeEvolutionServer(instances=("sales",), api_key=KEY) as started_server:
        yield started_server


@contextmanager
def shell(
    readme: Path,
    beginning: str,
    server: FakeEvolutionServer,
    folder: Path,
    more: Mapping[str, str] | None = None,
) -> Iterator[Process]:
    """Run the lines of a block in one shell, but for what they install; yield it."""
    commands = commands_of(block_of(readme, beginning))
    lines = [line for line in commands if not line.startswith("pip install ")]
    variables = environment(server, folder)
    if any(line.startswith("export ") for line in lines):  # then the lines say it themselves
        variables = {
            name: text for name, text in variables.items() if not name.startswith("EVOLUTION_")
        }
    script = for_server("\n".join(lines), server)
    with started(["bash", "-c", script], folder, {**variables, **(more or {})}) as process:
        yield process


def end(process: Process, number: signal.Signals) -> int:
    """
    Send a signal to all processes of a shell, as a terminal does, and return its exit code.

    Raises:
        AssertionError: Not all of them have ended.
    """
    shell_process = psutil.Process(process.popen.pid)
    processes = [shell_process, *shell_process.children(recursive=True)]
    os.killpg(process.popen.pid, number)
    code = process.end(None)
    wait_until(lambda: not any(map(is_alive, processes)), PATIENCE)
    return code


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process runs; one that nobody has asked about its end does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def texts_sent(server: FakeEvolutionServer) -> list[object]:
    """Return the texts that the server was asked to send."""
    bodies = [request.json for request in server.requests if "sendText" in request.path]
    return [body["text"] for body in bodies if isinstance(body, dict)]


def check_answer(server: FakeEvolutionServer) -> None:
    """See that whoever listens answers a ping, and nothing else."""
    server.wait_for_client("sales", timeout=PATIENCE)
    for text in ("Bom dia!", "ping"):
        server.emit(build.text(text, instance="sales"))
    wait_until(lambda: texts_sent(server), PATIENCE)
    assert ["pong"] == texts_sent(server)


def wait_until_done(broker: str, count: int) -> None:
    """Wait until a worker has run that many tasks, and knows that they are over."""
    with Celery(broker=broker, set_as_current=False) as app:
        worker = app.control.inspect(timeout=PATIENCE, limit=1)

        def is_done() -> bool:
            [stats] = worker.stats().values()
            [active] = worker.active().values()
            return bool(sum(stats["total"].values()) >= count and not active)

        wait_until(is_done, PATIENCE)


def django_project(readme: Path, folder: Path) -> None:
    """Write a project with the README's settings and receivers."""
    package = folder / "project"
    package.mkdir()
    (folder / "manage.py").write_text(MANAGE)
    (package / "__init__.py").touch()
    (package / "apps.py").write_text(APPS)
    (package / "settings.py").write_text(block_of(readme, "# settings.py").source + SETTINGS)
    (package / "receivers.py").write_text(block_of(readme, "# receivers.py").source)


@each_end
@each_readme
def test_django_listener(
    readme: Path, number: signal.Signals, guarded_server: FakeEvolutionServer, tmp_path: Path
) -> None:
    """The command calls the receiver, which answers; the inbox is a file beside it."""
    need_module("django")
    django_project(readme, tmp_path)

    with shell(readme, DJANGO, guarded_server, tmp_path) as listener:
        check_answer(guarded_server)
        code = end(listener, number)

    assert code == 0, listener.output
    assert " events handled, 0 failures" in listener.output
    assert (tmp_path / "inbox.db").exists()


@each_end
@each_readme
def test_flask_listener(
    readme: Path, number: signal.Signals, guarded_server: FakeEvolutionServer, tmp_path: Path
) -> None:
    """The command calls the function of the application, which answers."""
    need_module("flask")
    (tmp_path / "app.py").write_text(block_of(readme, "# app.py").source)

    with shell(readme, FLASK, guarded_server, tmp_path) as listener:
        check_answer(guarded_server)
        code = end(listener, number)

    assert code == 0, listener.output
    assert " events handled, 0 failures" in listener.output
    assert (tmp_path / "inbox.db").exists()


@each_readme
def test_live_page(readme: Path, guarded_server: FakeEvolutionServer) -> None:
    """The site shows its page, streams a message to it, and ends at Ctrl-C."""
    need_module("flask")
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    with shell(readme, LIVE_PAGE, guarded_server, ROOT, {"FLASK_RUN_PORT": str(port)}) as site:
        wait_for_site(url, site)
        page = get(url)
        with streaming(f"{url}/events") as chunks:
            frames = parse_frames(chunks)
            next_state(frames, "open")
            guarded_server.emit(build.text("ping", instance="sales"))
            shown = next_event(frames)
        code = end(site, signal.SIGINT)

    assert page.status_code == 200
    assert shown.data["text"] == "ping"
    assert code == 0, site.output
    assert "Traceback" not in site.output


@each_readme
def test_celery_worker_and_forwarder(
    readme: Path, guarded_server: FakeEvolutionServer, tmp_path: Path
) -> None:
    """A message goes through forwarder, Redis and worker, is answered, and Ctrl-C ends both."""
    shop = block_of(readme, "# shop.py").source
    assert "redis://localhost:6379/0" in shop

    with RedisServer(tmp_path) as store:
        (tmp_path / "shop.py").write_text(shop.replace("redis://localhost:6379/0", store.url()))
        with shell(readme, CELERY, guarded_server, tmp_path) as both:
            check_answer(guarded_server)
            # The answer is an event, too. A process of the pool that is told to end before the
            # worker has noted what it did waits for that for 30 seconds.
            wait_until_done(store.url(), 3)
            code = end(both, signal.SIGINT)

    assert code == 0, both.output
    assert "Warm shutdown" in both.output
    assert "Traceback" not in both.output
    assert (tmp_path / "inbox.db").exists()
