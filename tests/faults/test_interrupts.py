"""Exceptions that strike at any bytecode: nothing is wedged, and no event is lost inside."""

from __future__ import annotations

import threading

import pytest

from evolution_ws.testing import FakeEvolutionServer
from tests.faults.scripts import script


# A timer's signal raises in the main thread about a thousand times a second while *armed*.
HEAD = """
import itertools, signal, sys, threading, time
from evolution_ws import Client, QueueOverflow

class Interrupt(Exception):
    pass

interrupts, armed = 0, False

def strike(*_):
    global interrupts, armed
    if armed:
        armed = False
        interrupts += 1
        raise Interrupt

def storm(on):
    signal.setitimer(signal.ITIMER_REAL, *((0.001, 0.001) if on else (0, 0)))

signal.signal(signal.SIGALRM, strike)
client = Client(sys.argv[1], "sales", backfill=False).connect()
term = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

def proved():
    while True:
        try:
            client.emit("ask", namespace="/")
            break
        except QueueOverflow:  # of what was emitted before
            time.sleep(0.01)
    for event in client.events(timeout=10):
        if event.type == "presence.update":
            break
    else:
        raise AssertionError("the client is wedged")
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == term
    assert client.is_connected and client.stats.reconnects == 0
    assert client.close(5)
    assert not [t.name for t in threading.enumerate() if t.name.startswith("evolution-ws-")]
    print(interrupts)
"""

# One C call takes the event out of the library's hands, so that what is counted is what was lost
# in its frames and not in those of the program.
GET = """
client.emit("flood", namespace="/")
got = []
storm(True)
while len(got) < 5000:
    try:
        armed = True
        got.extend(itertools.starmap(client.get, [(20,)]))
        armed = False
    except Interrupt:
        pass
storm(False)
assert [event.data["seq"] for event in got] == list(range(5000))
proved()
"""

# The loop is in a function: the jump back of a loop belongs to no try block of its own frame.
EVENTS = """
client.emit("flood", namespace="/")
got = []

def gather(loop):
    global armed
    armed = True
    while len(got) < 5000:
        # The generator stands still at its yield, and what it yielded is in the list.
        got.extend(itertools.islice(loop, 1))
    armed = False

storm(True)
while len(got) < 5000:
    try:
        gather(client.events())
    except Interrupt:
        pass
storm(False)
assert [event.data["seq"] for event in got] == list(range(5000))
proved()
"""

EMIT = """
end = time.monotonic() + 3
sent = 0

def attempt():
    global armed, sent
    armed = True
    try:
        client.emit("noise", {"text": "x" * 100}, namespace="/")
    except QueueOverflow:  # a thousand times faster than the socket
        armed = False
        time.sleep(0.01)
    else:
        armed = False
        sent += 1

storm(True)
while time.monotonic() < end:
    try:
        attempt()
    except Interrupt:
        pass
storm(False)
assert sent > 100, sent
proved()
"""

WAITS = """
end = time.monotonic() + 3

def attempt(wait):
    global armed
    armed = True
    try:
        wait()
    except TimeoutError:
        pass
    armed = False

storm(True)
while time.monotonic() < end:
    for wait in (
        lambda: client.wait_for("call", timeout=0.01),
        lambda: client.call("ask-nobody", timeout=0.01),
        lambda: client.wait_connected(1),
        lambda: client.subscribe("call").close(),
        lambda: client.stats,
        lambda: client.off(client.on("call", callback=lambda: None)),
    ):
        try:
            attempt(wait)
        except Interrupt:
            pass
storm(False)
proved()
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(GET, id="get"),
        pytest.param(EVENTS, id="events"),
        pytest.param(EMIT, id="emit"),
        pytest.param(WAITS, id="waits"),
    ],
)
def test_a_storm_of_interrupts(server: FakeEvolutionServer, program: str) -> None:
    """The client works on as if nothing had been."""
    done = threading.Event()

    def serve() -> None:
        while not done.wait(0.02):
            names = [emitted.name for emitted in server.received]
            if "flood" in names:
                server.received.clear()
                for seq in range(5_000):
                    server.emit("messages.upsert", {"seq": seq}, store=False)
            elif "ask" in names:
                server.received.clear()
                server.emit("presence.update", {})

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        interrupts = int(script(HEAD + program, server.url))
    finally:
        done.set()
        thread.join()

    assert interrupts > 10
