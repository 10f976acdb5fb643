"""The example runs as its README says, without any server but the embedded one."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from evolution_ws.testing import FakeEvolutionServer, build

from ..core_tools import ROOT
from ..helpers import wait_until
from .celery_tools import CEILING, ROUNDS, RedisServer, Running


FOLDER = ROOT / "examples" / "celery_app"
KEY = "example-key"


@pytest.fixture(params=["filesystem", "redis"] if ROUNDS > 3 else ["filesystem"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return the environment that chooses a broker."""
    if request.param == "filesystem":
        yield {"SHOP_FOLDER": str(tmp_path / "broker")}
        return
    with RedisServer(tmp_path) as store:
        yield {"CELERY_BROKER_URL": store.url()}


def commands() -> list[list[str]]:
    """Return the worker's and the forwarder's command of the README, as arguments of Python."""
    found = re.findall(
        r"^    ((?:celery|evolution-ws) .*?)(?: &)?$", (FOLDER / "README.md").read_text(), re.M
    )
    modules = {"celery": "celery", "evolution-ws": "evolution_ws.cli"}
    return [["-m", modules[name], *rest] for name, *rest in map(shlex.split, found)]


def test_a_ping_is_answered(tmp_path: Path, broker: dict[str, str]) -> None:
    """A message goes through forwarder, broker and worker, and is answered over REST."""
    with FakeEvolutionServer(instances=("sales",), api_key=KEY) as server, ExitStack() as stack:
        environ = {
            "EVOLUTION_URL": server.url,
            "EVOLUTION_INSTANCE": "sales",
            "EVOLUTION_API_KEY": KEY,
            "PYTHONPATH": f"{FOLDER}:{ROOT}",
            "FOLDER": str(tmp_path),
            **broker,
        }
        running = [
            stack.enter_context(Running(tmp_path / f"{argv[1]}.log", *argv, **environ))
            for argv in commands()
        ]
        worker, forwarder = running
        server.wait_for_client("sales", 1, CEILING)
        message = build.text("Ping", sender="5511900000001", instance="sales")
        server.emit(message.type, message.data, instance="sales")
        wait_until(lambda: any("sendText" in one.path for one in server.requests), CEILING)

        forwarder.send(signal.SIGTERM)
        assert forwarder.process.wait(CEILING) == 0, forwarder.text
        assert worker.stop() == 0
        [request] = [one for one in server.requests if "sendText" in one.path]

    assert isinstance(request.json, dict)
    assert request.json["text"] == "pong"
    assert "Ping" not in worker.text + forwarder.text
    assert KEY not in worker.text + forwarder.text


def test_nothing_connects_at_import(tmp_path: Path) -> None:
    """The module of the app can be imported without server, settings and broker."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import shop; print(sorted(shop.app.tasks)[-1])"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{FOLDER}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "shop.handle\n"
