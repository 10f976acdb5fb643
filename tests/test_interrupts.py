"""Ctrl-C ends the call that waits, at once, and leaves the client as usable as before."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from evolution_ws.testing import FakeEvolutionServer
from tests.core_tools import PROMPT, black_hole, python
from tests.helpers import CEILING


# Each program says "ready" when it is about to wait, and "done" when the client proved its worth.
HEAD = """
import sys, time, threading
from evolution_ws import Client
client = Client(sys.argv[1], "sales", backfill=False)

def ready():
    print("ready", flush=True)

def prove():
    begin = time.monotonic()
    event = client.get(10)
    assert event.data == {"seq": 1}, event
    assert client.close(5)
    assert not [t.name for t in threading.enumerate() if t.name.startswith("evolution-ws-")]
    print("done", flush=True)
"""

WAITS = {
    "get": "client.get()",
    "get-timeout": "client.get(60)",
    "events": "next(client.events())",
    "subscription": "client.subscribe().get()",
    "wait_for": "client.wait_for('messages.update')",
    "call": "client.call('ask', timeout=60)",
    "emit": "client.emit('x', namespace='/other', timeout=60)",
    "wait_connected": "client._core.connection.wait_until(lambda: False, None)",
}


def expect(process: subprocess.Popen[str], line: str) -> None:
    """Demand that *line* is the next one the process prints."""
    assert process.stdout is not None
    watchdog = threading.Timer(CEILING, process.kill)
    watchdog.start()
    said = process.stdout.readline()
    watchdog.cancel()
    watchdog.join()
    if said != line + "\n":
        process.kill()
        raise AssertionError(process.communicate()[1] or said)


def assert_ends(process: subprocess.Popen[str], code: int = 0) -> str:
    """Demand that the process ends in time with that exit code; return its stderr."""
    with process:
        try:
            _, errors = process.communicate(timeout=CEILING)
        finally:
            process.kill()
    assert process.returncode == code, errors
    return errors


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS.keys())
def test_ctrl_c_in_a_wait(server: FakeEvolutionServer, wait: str) -> None:
    """The wait ends with KeyboardInterrupt; the connection lives on and delivers."""
    program = f"""
client.connect()
threading.Timer(0.05, ready).start()
try:
    {wait}
except KeyboardInterrupt:
    print("interrupted", flush=True)
prove()
"""
    process = python(HEAD + program, server.url)
    expect(process, "ready")
    process.send_signal(signal.SIGINT)
    expect(process, "interrupted")
    server.emit("messages.upsert", {"seq": 1})
    expect(process, "done")

    assert assert_ends(process) == ""


def test_ctrl_c_in_connect(server: FakeEvolutionServer) -> None:
    """A connect() that was interrupted can be closed, or waited for again."""
    server.freeze()
    program = """
threading.Timer(0.05, ready).start()
try:
    client.connect()
except KeyboardInterrupt:
    print("interrupted", flush=True)
client.connect()
print("connected", flush=True)
prove()
"""
    process = python(HEAD + program, server.url)
    expect(process, "ready")
    process.send_signal(signal.SIGINT)
    expect(process, "interrupted")
    server.thaw()
    expect(process, "connected")
    server.emit("messages.upsert", {"seq": 1})
    expect(process, "done")

    assert assert_ends(process) == ""


def test_ctrl_c_in_connect_to_a_black_hole() -> None:
    """A program that is interrupted while it connects ends at once."""
    program = """
threading.Timer(0.05, ready).start()
with client:
    pass
"""
    with black_hole() as url:
        process = python(HEAD + program, url)
        expect(process, "ready")
        process.send_signal(signal.SIGINT)

        assert "KeyboardInterrupt" in assert_ends(process, -signal.SIGINT)


def test_ctrl_c_with_a_frozen_server(server: FakeEvolutionServer) -> None:
    """A program whose server has stopped answering ends at once, too."""
    program = """
with client:
    threading.Timer(0.05, ready).start()
    client.get()
"""
    process = python(HEAD + program, server.url)
    expect(process, "ready")
    server.freeze()
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)

    assert "KeyboardInterrupt" in assert_ends(process, -signal.SIGINT)
    assert time.monotonic() - begin < PROMPT


def test_ctrl_c_that_somebody_else_takes(server: FakeEvolutionServer) -> None:
    """The handler of a stock client closes every connection it finds; this one comes back."""
    program = """
import socketio
other = socketio.Client(handle_sigint=True)
other.connect(sys.argv[1], transports=["websocket"], namespaces=["/sales"])
client.connect()
threading.Timer(0.05, ready).start()
try:
    client.get()
except KeyboardInterrupt:
    pass
while not (client.stats.reconnects and client.is_connected):
    time.sleep(0.01)
print("back", client.stats.reconnects, flush=True)
prove()
"""
    process = python(HEAD + program, server.url)
    expect(process, "ready")
    process.send_signal(signal.SIGINT)
    expect(process, "back 1")
    server.emit("messages.upsert", {"seq": 1})
    expect(process, "done")

    assert assert_ends(process) == ""


def test_ctrl_c_in_run(server: FakeEvolutionServer) -> None:
    """run() takes Ctrl-C as the wish to end, and closes."""
    program = """
client.on("connect", callback=ready)
client.run()
assert client.state.value == "closed"
assert not [t.name for t in threading.enumerate() if t.name.startswith("evolution-ws-")]
print("done", flush=True)
"""
    process = python(HEAD + program, server.url)
    expect(process, "ready")
    process.send_signal(signal.SIGINT)
    expect(process, "done")

    assert assert_ends(process) == ""


def test_ctrl_c_in_close(server: FakeEvolutionServer) -> None:
    """A close() that was interrupted says nothing false the next time, and comes to its end."""
    program = """
entered, release = threading.Event(), threading.Event()

@client.on("messages.upsert")
def callback():
    entered.set()
    release.wait()

client.connect()
ready()
entered.wait()
threading.Timer(0.05, ready).start()
try:
    client.close(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(client.close(0.05), client.state.value, flush=True)
release.set()
print(client.close(10), flush=True)
assert not [t.name for t in threading.enumerate() if t.name.startswith("evolution-ws-")]
"""
    process = python(HEAD + program, server.url)
    expect(process, "ready")
    server.emit("messages.upsert", {"seq": 1})
    expect(process, "ready")
    process.send_signal(signal.SIGINT)
    expect(process, "interrupted")
    expect(process, "False closed")
    expect(process, "True")

    assert assert_ends(process) == ""


# Each waits until the handler of a signal has closed the client.
CLOSED_MEANWHILE = {
    "events": "print(len(list(client.events())))",
    "run": "client.on('call', callback=print); ready(); client.run(); print(0)",
    "emit": """
try:
    while True:
        client.emit("x", 1)
        time.sleep(0.0001)
except ClientClosed:
    print(0)
""",
}


@pytest.mark.parametrize("busy", CLOSED_MEANWHILE.values(), ids=CLOSED_MEANWHILE.keys())
def test_a_signal_handler_that_closes(server: FakeEvolutionServer, busy: str) -> None:
    """The handler of a script may close the client, whatever the main thread does with it."""
    program = f"""
import signal
from evolution_ws import ClientClosed
signal.signal(signal.SIGTERM, lambda *_: print(client.close(), flush=True))
client.connect()
ready()
{busy}
"""
    process = python(HEAD + program, server.url)
    expect(process, "ready")
    if "run" in busy:
        expect(process, "ready")
    process.send_signal(signal.SIGTERM)
    expect(process, "True")
    expect(process, "0")

    assert assert_ends(process) == ""


@pytest.mark.parametrize("durable", ["None", "sys.argv[2]"], ids=["in-memory", "durable"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_signal_handler_that_closes_while_the_client_starts(
    server: FakeEvolutionServer, tmp_path: Path, moment: str, durable: str
) -> None:
    """Even in the middle of a start: it does not wait for what it interrupts, and the end comes."""
    program = f"""
import os, signal
from evolution_ws import ClientClosed
client = Client(sys.argv[1], "sales", backfill=False, durable={durable})
signal.signal(signal.SIGTERM, lambda *_: client.close())
start = threading.Thread.start

def start_and_strike(thread):
    if "{moment}" == "after":
        start(thread)
    if "supervisor" in thread.name:
        os.kill(os.getpid(), signal.SIGTERM)
    if "{moment}" == "before":
        start(thread)

threading.Thread.start = start_and_strike
try:
    client.connect()
except ClientClosed:
    print("closed", flush=True)
print(client.close(10), client.state.value, flush=True)
assert not [t.name for t in threading.enumerate() if t.name.startswith("evolution-ws-")]
"""
    process = python(HEAD + program, server.url, str(tmp_path / "inbox.db"))
    expect(process, "closed")
    expect(process, "True closed")

    assert assert_ends(process) == ""


def test_a_storm_of_exceptions_loses_and_locks_nothing(server: FakeEvolutionServer) -> None:
    """A consumer that is interrupted thousands of times a second gets every event, in order."""
    program = """
import signal

class Interrupt(Exception):
    pass

interrupts, armed = 0, False

def interrupt(*_):
    global interrupts, armed
    if armed:
        armed = False
        interrupts += 1
        raise Interrupt

client.connect()
signal.signal(signal.SIGALRM, interrupt)
got = []
ready()
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
while len(got) < 3000:
    try:
        armed = True
        # One C call: what get() returned is in the list before an exception can be raised here.
        got.extend(map(client.get, (20,)))
        armed = False
    except Interrupt:
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
print("order", [event.data["seq"] for event in got] == list(range(3000)), flush=True)
print("stormy", interrupts > 50, flush=True)
prove()
"""
    process = python(HEAD + program, server.url)
    expect(process, "ready")
    for seq in range(3_000):
        server.emit("messages.upsert", {"seq": seq}, store=False)
    expect(process, "order True")
    expect(process, "stormy True")
    server.emit("messages.upsert", {"seq": 1})
    expect(process, "done")

    assert assert_ends(process) == ""
