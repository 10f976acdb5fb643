"""The end of a script: what was emitted arrives, and nothing holds the end up."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import black_hole, emitted, free_port, python
from tests.helpers import CEILING, wait_until


RUNS = int(os.environ.get("EVOLUTION_WS_TEST_EXITS", "12"))
"""How often a script that emits and ends is run; at least 200 before a release."""

PARALLEL = 4

EMIT_AND_END = """
import sys
from evolution_ws import Client
client = Client(sys.argv[1], "sales", backfill=False).connect()
for seq in range(20):
    client.emit("x", {"seq": seq, "run": sys.argv[2], "filler": "y" * 5000})
"""


def end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Return what the process printed, when it has ended well."""
    with process:
        try:
            output, errors = process.communicate(timeout=2 * CEILING)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    return output, errors


def test_emits_before_the_end_of_a_script_arrive(server: FakeEvolutionServer) -> None:
    """A script that emits twenty events and ends has sent all of them, every time."""
    for first in range(0, RUNS, PARALLEL):
        runs = [str(run) for run in range(first, min(first + PARALLEL, RUNS))]
        for process in [python(EMIT_AND_END, server.url, run) for run in runs]:
            assert end(process) == ("", "")
        received = emitted(server, 20 * len(runs))
        for run in runs:
            assert [data["seq"] for data in received if data["run"] == run] == list(range(20))
        server.received.clear()


ENDS = {
    "plain": "",
    "exception": "raise SystemExit(0)",
    "sys-exit-in-thread": "import threading; threading.Thread(target=sys.exit).start()",
    "atexit": "import atexit; atexit.register(client.emit, 'late', 1)",
    "client-deleted": "del client",
    "unclosed-loop": "events = client.events(timeout=0); list(events)",
    "with-callback": "client.on('x', callback=print)",
    "owner-in-a-ring": """
class Owner:
    def __init__(self):
        self.client, self.ring = client, self
    def __del__(self):
        self.client.close()
Owner()
""",
    "pool": (
        "from concurrent.futures import ThreadPoolExecutor as P; P().submit(client.emit, 'late', 1)"
    ),
    "pool-calls": (
        "from concurrent.futures import ThreadPoolExecutor as P\n"
        "P().submit(lambda: print(client.call('late', 1)))"
    ),
}


@pytest.mark.parametrize("ending", ENDS.values(), ids=ENDS.keys())
def test_ways_to_end(server: FakeEvolutionServer, ending: str) -> None:
    """However a script ends, it ends silently and in time; its emits arrive, calls are answered."""
    program = f"""
import sys
from evolution_ws import Client
client = Client(sys.argv[1], "sales", backfill=False).connect()
client.emit("early", 1)
{ending}
"""
    server.ack = lambda *_: "answer"
    begin = time.monotonic()

    said = "answer\n" if "call(" in ending else ""
    assert end(python(program, server.url)) == (said, "")
    assert time.monotonic() - begin < CEILING
    expected = ["early", "late"] if "late" in ending else ["early"]
    assert [event.name for event in server.wait_for_emit(len(expected))] == expected
    wait_until(lambda: not server.clients)


def test_a_thread_that_waits_for_events_keeps_the_process(server: FakeEvolutionServer) -> None:
    """A loop on a thread of its own goes on after the script, and the process ends with it."""
    program = """
import sys, threading
from evolution_ws import Client
client = Client(sys.argv[1], "sales", backfill=False).connect()
def consume():
    threading.main_thread().join()
    print("alone", flush=True)
    for event in client.events():
        print(event.data["seq"], flush=True)
        break
threading.Thread(target=consume).start()
"""
    process = python(program, server.url)
    assert process.stdout is not None
    assert process.stdout.readline() == "alone\n"
    server.emit("messages.upsert", {"seq": 1})

    assert end(process) == ("1\n", "")
    wait_until(lambda: not server.clients)


def test_a_dead_server_does_not_hold_the_end_up(server: FakeEvolutionServer) -> None:
    """With a server that has stopped reading, the script ends within seconds."""
    program = """
import sys
from evolution_ws import Client
client = Client(sys.argv[1], "sales", backfill=False).connect()
print("ready", flush=True)
sys.stdin.readline()
for _ in range(40):
    client.emit("x", "y" * 900_000)
"""
    process = python(program, server.url)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    server.freeze()
    begin = time.monotonic()
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()

    end(process)
    assert time.monotonic() - begin < CEILING


def _nobody() -> AbstractContextManager[str]:
    return nullcontext(f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize("place", [black_hole, _nobody], ids=["connecting", "backing-off"])
def test_the_end_while_there_is_no_connection(
    place: Callable[[], AbstractContextManager[str]],
) -> None:
    """A script whose client is still connecting or backing off ends at once."""
    program = """
import sys
from evolution_ws import Client, ConnectionState
client = Client(sys.argv[1], "sales", backfill=False)
for _ in client.events(timeout=0.2):
    pass
assert client.state in (ConnectionState.CONNECTING, ConnectionState.BACKOFF), client.state
"""
    with place() as url:
        begin = time.monotonic()
        end(python(program, url))

        assert time.monotonic() - begin < CEILING


@pytest.mark.parametrize("inbox", ["None", "sys.argv[2]"], ids=["in-memory", "durable"])
def test_connecting_at_the_end_is_an_error_and_no_hang(
    server: FakeEvolutionServer, tmp_path: Path, inbox: str
) -> None:
    """An exit handler that connects gets through, or an error that says why not."""
    program = f"""
import atexit, sys
from evolution_ws import Client, EvolutionError

def late():
    client = Client(sys.argv[1], "sales", backfill=False, durable={inbox})
    try:
        client.connect()
    except EvolutionError as exc:
        assert "can start no thread" in str(exc), exc
    print("ended", client.close())

atexit.register(late)
"""
    process = python(program, server.url, str(tmp_path / "inbox.db"))

    assert end(process) == ("ended True\n", "")
