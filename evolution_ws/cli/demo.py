"""``evolution-ws demo``: the whole way of an event in a few seconds, without a server."""

from __future__ import annotations

import threading
import time

from ..client import Client
from ..events import MessageEvent
from ..testing import FakeEvolutionServer, build
from ._arguments import Arguments, Commands, add_command
from ._codes import ExitCode
from ._describe import describe
from ._format import text_line
from ._output import Output


_EXAMPLES = """  evolution-ws demo
  evolution-ws serve --rate 2     # the same server, to play with"""

_INSTANCE = "demo"
_PAUSE = 0.15
# Nothing here takes long; a wait that does is a failure.
_PATIENCE = 5.0


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    add_command(
        commands,
        "demo",
        run,
        "show events arriving, from an embedded server",
        _EXAMPLES,
        "Needs no server and no phone, and ends by itself.",
    )


def run(args: Arguments) -> int:
    """Run the command."""
    output = Output()
    with FakeEvolutionServer(instances=(_INSTANCE,)) as server:
        _step(output, f"an embedded server listens at {server.url}")
        with Client(server.url, _INSTANCE) as client:
            _step(output, f'Client("{server.url}", "{_INSTANCE}") is connected')
            return _show(server, client, output)


def _show(server: FakeEvolutionServer, client: Client, output: Output) -> int:
    def on_message(event: MessageEvent) -> None:
        output.line(output.styled("  callback ", "magenta") + describe(event))

    client.on("messages.upsert", callback=on_message)
    _step(output, "a callback gets messages.upsert; a loop gets every event:")
    envelopes = build.samples(_INSTANCE)
    sender = threading.Thread(target=_send, args=(server, envelopes), daemon=True)
    sender.start()
    received = 0
    for event in client.events(limit=len(envelopes), timeout=_PATIENCE):
        output.line("  loop     " + text_line(event, output))
        received += 1
    sender.join()
    client.emit("sendNode", {"instanceId": _INSTANCE, "stanza": {"tag": "presence"}}, namespace="/")
    emitted = server.wait_for_emit(timeout=_PATIENCE)[0]
    _step(output, f"emitted {emitted.name}, and the server got it")
    client.close()
    _step(output, f"closed; {received} of {len(envelopes)} events arrived, in order")
    return ExitCode.OK if received == len(envelopes) else ExitCode.FAILED


def _send(server: FakeEvolutionServer, envelopes: list[dict[str, object]]) -> None:
    for envelope in envelopes:
        server.emit(envelope)
        time.sleep(_PAUSE)


def _step(output: Output, text: str) -> None:
    output.line(output.styled(f"• {text}", "bold"))
