"""What the command line runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evolution_ws import Client, ConfigError
from evolution_ws.integrations.celery import run_forwarder
from evolution_ws.testing import FakeEvolutionServer

from ..core_tools import ROOT, make_client
from ..helpers import in_thread, wait_until
from .celery_tools import RedisServer
from .test_celery_publish import messages


SOURCE = """
from celery import Celery
app = Celery("shop", broker={broker!r}, set_as_current=False)
@app.task(name="shop.handle", shared=False)
def handle(event): pass
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a Redis."""
    with RedisServer(tmp_path) as started:
        yield started


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, from which modules can be imported and are forgotten again."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    monkeypatch.chdir(tmp_path)
    write_app(tmp_path, "memory://")


def write_app(folder: Path, broker: str) -> None:
    """Write the module of an app."""
    (folder / "the_shop.py").write_text(SOURCE.format(broker=broker))


@pytest.mark.parametrize(
    ("options", "queue"),
    [
        ({}, "celery"),
        ({"queue": "events"}, "events"),
        ({"queue": "events", "queues": 1}, "events.0"),
        ({"redis": "broker", "shards": 2, "routing_key": "chat"}, "celery"),
    ],
    ids=["plain", "queue", "queues", "cluster"],
)
def test_it_forwards(
    server: FakeEvolutionServer,
    store: RedisServer,
    tmp_path: Path,
    options: dict[str, Any],
    queue: str,
) -> None:
    """The arguments of the command line become those of forward()."""
    write_app(tmp_path, store.url())
    client = make_client(server.url)
    arguments = {"task": "shop.handle", "types": ["call"], **options}
    running = in_thread(lambda: run_forwarder("the_shop", client, **arguments))
    wait_until(lambda: client.is_connected)
    server.emit("call", {"id": "5511900000001@s.whatsapp.net"})
    wait_until(lambda: store.client.llen(queue))
    client.close()
    running.result()

    assert ["shop.handle"] == [message["headers"]["task"] for message in messages(store, queue)]


@pytest.mark.parametrize(
    ("app", "options", "problem"),
    [
        ("nowhere.celery", {}, "there is no Celery app 'nowhere.celery'"),
        ("the_shop:nothing", {}, "there is no Celery app"),
        ("the_shop:handle", {}, "no Celery app"),
        ("the_shop", {"task": "shop.hnadle"}, "did you mean shop.handle?"),
        ("the_shop", {"queues": 2}, "name the queue"),
        ("the_shop", {"shards": 2}, "shards are for several forwarders"),
        ("the_shop", {"redis": "localhost"}, "begins with redis://"),
    ],
    ids=["module", "attribute", "no app", "task", "queues", "shards", "redis"],
)
def test_arguments_that_cannot_work(app: str, options: dict[str, Any], problem: str) -> None:
    """Each is a sentence that says what to do."""
    with pytest.raises(ConfigError) as caught:
        run_forwarder(app, Client("http://127.0.0.1:1"), **{"task": "shop.handle", **options})

    assert problem in str(caught.value)


def test_a_cluster_needs_a_redis() -> None:
    """The broker cannot serve as one when it is something else."""
    client = Client("http://127.0.0.1:1")

    with pytest.raises(ConfigError, match="the broker of the app is no Redis"):
        run_forwarder("the_shop", client, task="shop.handle", redis="broker")


@pytest.mark.parametrize("missing", ["celery", "redis"])
def test_a_missing_extra_is_named(missing: str) -> None:
    """Without what it needs the module says what to install."""
    source = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "try: import evolution_ws.integrations.celery\n"
        "except ImportError as exc: print(exc)"
    )

    done = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True
    )

    expected = f"integrations.celery needs {missing}: pip install 'evolution-ws[celery]'"
    assert expected in done.stdout
