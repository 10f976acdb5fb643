"""Everything works under ``gevent.monkey.patch_all()``, in processes of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from evolution_ws.testing import FakeEvolutionServer
from tests.faults.history_tools import message
from tests.faults.scripts import script


pytest.importorskip("gevent", reason="gevent is not installed")

PATCH = """
import warnings
warnings.simplefilter("ignore")
from gevent import monkey
monkey.patch_all()
"""

HEAD = """
import sys, threading, time
import gevent
from evolution_ws import Backoff, Client, ConfigError, ConnectionState
url = sys.argv[1]

def make(**options):
    backoff = Backoff(initial=0.05, maximum=0.2)
    return Client(url, "sales", api_key="invented-key", backoff=backoff, **options)

def ask(what):
    client.emit(what, {}, namespace="/")

ticks = []

def tick():
    while True:
        ticks.append(time.monotonic())
        gevent.sleep(0.001)

def hub_went_on():
    gevent.sleep(0.01)
    pauses = [after - before for before, after in zip(ticks, ticks[1:])]
    assert max(pauses) < 2, f"the hub stood still for {max(pauses)} s"

def no_threads_left():
    names = [t.name for t in threading.enumerate() if t.name.startswith("evolution-ws-")]
    assert not names, names
"""

ORDER = """
ticker = gevent.spawn(tick)
with make(backfill=False) as client:
    ask("burst")
    got = [event.data["seq"] for event in client.events(limit=2000)]
assert got == list(range(2000)), "out of order"
hub_went_on()
ticker.kill()
no_threads_left()
print("done")
"""

LARGE = """
ticker = gevent.spawn(tick)
with make(backfill=False) as client:
    ask("large")
    got = [event.data["seq"] for event in client.events(limit=6)]
    assert got == list(range(6)), got
    assert client.stats.reconnects == 0
hub_went_on()
ticker.kill()
no_threads_left()
print("done")
"""

FROZEN = """
client = make(backfill=False)
gone = threading.Event()
client.on("disconnect", callback=gone.set)
with client:
    ask("freeze")
    begin = time.monotonic()
    assert gone.wait(20)
    assert time.monotonic() - begin < 8, "it took too long"
no_threads_left()
print("done")
"""

CLOSE = """
client = make(backfill=False).connect()
waiting = gevent.spawn(lambda: list(client.events()))
gevent.sleep(0.05)
begin = time.monotonic()
assert client.close(5)
assert time.monotonic() - begin < 3
assert waiting.get(timeout=5) == []
no_threads_left()
print("done")
"""

RECONNECT = """
client = make()
with client:
    ask("restart")
    numbers = set()
    for event in client.events(timeout=20):
        numbers.add(event.data["key"]["id"])
        if numbers == {"M1", "M2", "M3"}:
            break
    assert numbers == {"M1", "M2", "M3"}, numbers
    assert client.stats.replayed, client.stats
no_threads_left()
print("done")
"""

CALLBACKS = """
client = make(backfill=False, callback_workers=2)
got, done = [], threading.Event()
@client.on("messages.upsert")
def note(event):
    got.append(event.data["seq"])
    if len(got) == 2000:
        done.set()
with client:
    ask("burst")
    assert done.wait(30)
assert sorted(got) == list(range(2000))
no_threads_left()
print("done")
"""

DURABLE = """
import os, tempfile
client = make(backfill=False, durable=os.path.join(tempfile.mkdtemp(), "inbox.db"))
with client:
    ask("burst")
    got = [event.data["seq"] for event in client.events(limit=2000)]
assert got == list(range(2000)), "out of order"
no_threads_left()
print("done")
"""


def burst(server: FakeEvolutionServer) -> None:
    """Emit two thousand numbered messages."""
    for seq in range(2_000):
        server.emit("messages.upsert", {"seq": seq, "key": {"remoteJid": f"{seq % 7}@lid"}})


def restart(server: FakeEvolutionServer) -> None:
    """Have a message happen before, during and after a restart."""
    server.emit("messages.upsert", message("M1"))
    server.flush()
    server.stop()
    server.emit("messages.upsert", message("M2"))
    server.start()
    server.wait_for_client("sales")
    server.emit("messages.upsert", message("M3"))


def large(server: FakeEvolutionServer) -> None:
    """Emit six numbered messages of five megabytes."""
    for seq in range(6):
        server.emit("messages.upsert", {"seq": seq, "text": "é" * 2_500_000}, store=False)


ACTIONS: dict[str, Callable[[FakeEvolutionServer], None]] = {
    "burst": burst,
    "restart": restart,
    "large": large,
    "freeze": FakeEvolutionServer.freeze,
}


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(ORDER, id="order"),
        pytest.param(LARGE, id="large-events"),
        pytest.param(FROZEN, id="frozen-server"),
        pytest.param(CLOSE, id="close"),
        pytest.param(RECONNECT, id="reconnect-and-backfill"),
        pytest.param(CALLBACKS, id="callbacks"),
        pytest.param(DURABLE, id="durable"),
    ],
)
def test_under_gevent(program: str) -> None:
    """A patched process consumes as any other does, and its hub goes on turning."""
    with FakeEvolutionServer(
        instances=("sales",), store=program is RECONNECT, ping_interval=1.0, ping_timeout=1.0
    ) as server:
        said = _run_with_actions(server, PATCH + HEAD + program)

    assert "done\n" == said


def test_not_patched(server: FakeEvolutionServer) -> None:
    """One warning says that greenlets hold each other up; outside of greenlets there is none."""
    program = """
import logging
import gevent
from evolution_ws import Client
logging.basicConfig(format="%(message)s", stream=sys.stdout)

def use():
    with Client(sys.argv[1], "sales", backfill=False):
        pass

use()
print("outside")
for _ in range(2):
    gevent.spawn(use).get()
print("done")
"""
    lines = script("import sys" + program, server.url).splitlines()

    assert lines[0] == "outside"
    assert lines[1].startswith("gevent is in use without its patches")
    assert lines[2:] == ["done"]


def test_patched_too_late() -> None:
    """A client that was made before the patch says so, instead of hanging."""
    program = """
client = make(backfill=False)
from gevent import monkey
import warnings
warnings.simplefilter("ignore")
monkey.patch_all()
try:
    client.connect()
except ConfigError as exc:
    print(exc)
"""
    with FakeEvolutionServer(instances=("sales",)) as server:
        said = script(HEAD + program, server.url)

    assert "patch_all() was called after this client was made" in said


def test_patched_in_part() -> None:
    """Half a patch loses wake-ups, and is refused with the remedy."""
    program = """
from gevent import monkey
import warnings
warnings.simplefilter("ignore")
monkey.patch_all(thread=False)
try:
    make().connect()
except ConfigError as exc:
    print(exc)
"""
    with FakeEvolutionServer(instances=("sales",)) as server:
        said = script(HEAD + program, server.url)

    assert "only a part of the standard library" in said


def _run_with_actions(server: FakeEvolutionServer, source: str) -> str:
    """Run *source*; what it emits names the action that the server is to take."""
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            try:
                emitted = server.wait_for_emit(1, timeout=0.2)
            except TimeoutError:
                continue
            ACTIONS[emitted[0].name](server)
            return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        return script(source, server.url)
    finally:
        done.set()
        thread.join()
