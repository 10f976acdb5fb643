"""A process that is forked off with a client in it: the parent goes on undisturbed."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator

import pytest
import trustme

from evolution_ws.testing import FakeEvolutionServer
from tests.faults.scripts import script
from tests.relay import Relay


# The child reports through its exit code; an alarm ends one that hangs.
HEAD = """
import multiprocessing, os, signal, sys, threading, time, warnings
from evolution_ws import Backoff, Client, NotConnectedError
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
url = sys.argv[1]
backoff = Backoff(initial=0.05, maximum=0.2)
client = Client(url, "sales", backfill=False, verify=False, backoff=backoff)

def beget(live):
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(20)
    code = 1
    try:
        live()
        code = 0
    finally:
        if code:
            import traceback
            traceback.print_exc()
        os._exit(code)

def buried(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def refused():
    try:
        client.emit("sendNode", {}, namespace="/")
    except NotConnectedError as exc:
        assert "parent process" in str(exc) and "post_fork" in str(exc), exc
    else:
        raise AssertionError("an emit of the child was accepted")

def works_in_child():
    refused()
    assert client.state.value == "new" and not client.is_connected
    client.connect(10)
    client.emit("from-child", {"pid": os.getpid()}, namespace="/")
    assert client.close(5)
    os.write(1, b"child ")
"""

PROGRAMS = {
    "connected": """
client.connect()
assert buried(beget(works_in_child)) == 0
""",
    "closed-in-the-child": """
client.connect()
def child():
    assert client.close(5)
assert buried(beget(child)) == 0
""",
    "forgotten-in-the-child": """
client.connect()
def child():
    global client
    del client
    import gc
    gc.collect()
assert buried(beget(child)) == 0
""",
    "calls-in-the-child": """
client.connect()
def child():
    refused()
    assert client.call("ask", 7, namespace="/") == "answer"
    assert client.close(5)
assert buried(beget(child)) == 0
""",
    "exits-through-its-exit-handlers": """
client.connect()
pid = os.fork()
if pid == 0:
    signal.alarm(20)
    refused()
    sys.exit(0)
assert buried(pid) == 0
""",
    "exits-normally": """
client.connect()
process = multiprocessing.get_context("fork").Process(target=refused)
process.start()
process.join()
assert process.exitcode == 0, process.exitcode
""",
    "threads-inside-events": """
client.connect()
got = []
threads = [
    threading.Thread(target=lambda: got.extend(client.events()), daemon=True) for _ in range(3)
]
for thread in threads:
    thread.start()
children = [beget(works_in_child) for _ in range(5)]
assert [buried(child) for child in children] == [0] * 5
""",
    "callbacks-run": """
inside, release = threading.Event(), threading.Event()
@client.on("messages.upsert")
def slow(event):
    inside.set()
    release.wait(10)
client.connect()
assert inside.wait(10)
def child():
    release.set()
    works_in_child()
assert buried(beget(child)) == 0
release.set()
""",
    "while-connecting": """
thread = threading.Thread(target=client.connect)
thread.start()
children = [beget(works_in_child) for _ in range(5)]
assert [buried(child) for child in children] == [0] * 5
thread.join()
""",
    "while-emitting": """
client.connect()
stop = threading.Event()
def emit():
    while not stop.is_set():
        client.emit("noise", {}, namespace="/")
        time.sleep(0.0005)
thread = threading.Thread(target=emit)
thread.start()
children = [beget(works_in_child) for _ in range(10)]
assert [buried(child) for child in children] == [0] * 10
stop.set()
thread.join()
""",
    "durable": """
import tempfile
path = os.path.join(tempfile.mkdtemp(), "inbox.db")
client = Client(url, "sales", backfill=False, durable=path)
client.connect()
def child():
    from evolution_ws import InboxError
    try:
        client.connect()
    except InboxError:
        return
    raise AssertionError("the inbox of the parent was opened twice")
assert buried(beget(child)) == 0
""",
}

TAIL = """
for _ in client.events(timeout=0):
    pass
client.get(10)
assert client.is_connected and client.stats.reconnects == 0, client.stats
client.emit("from-parent", {}, namespace="/")
assert client.close(5)
print("done")
"""


@pytest.fixture
def server() -> Iterator[FakeEvolutionServer]:
    """Return a server that emits a message when it is asked for one."""
    with FakeEvolutionServer(instances=("sales",), ack=lambda *_: "answer") as server:
        yield server


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_fork(server: FakeEvolutionServer, program: str) -> None:
    """The child can connect anew, and nothing of it reaches the connection of the parent."""
    said = _run(server, HEAD + program + TAIL, server.url)

    assert "done" in said.split()
    assert 1 == sum(emitted.name == "from-parent" for emitted in server.received)
    assert said.split().count("child") == sum(e.name == "from-child" for e in server.received)


@pytest.mark.parametrize(
    "name", ["connected", "forgotten-in-the-child", "exits-through-its-exit-handlers"]
)
def test_a_fork_with_tls(server: FakeEvolutionServer, name: str) -> None:
    """The child says no word in the session of its parent, which goes on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with Relay(f"127.0.0.1:{server.port}", tls=context) as front:
        said = _run(server, HEAD + PROGRAMS[name] + TAIL, f"https://localhost:{front.port}")

    assert "done" in said.split()
    assert 1 == sum(emitted.name == "from-parent" for emitted in server.received)


def _run(server: FakeEvolutionServer, source: str, url: str) -> str:
    """Run *source*; a message is emitted all the time, for the programs that wait for one."""
    stop = threading.Event()

    def emit() -> None:
        while not stop.wait(0.02):
            server.emit("messages.upsert", {"key": {"id": "A1"}}, store=False)

    thread = threading.Thread(target=emit)
    thread.start()
    try:
        return script(source, url)
    finally:
        stop.set()
        thread.join()
