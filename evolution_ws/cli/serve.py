"""``evolution-ws serve``: an embedded server to try things against."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

from ..testing import FakeEvolutionServer, build
from ._arguments import Arguments, Commands, add_command, add_key, key_of, not_negative, split_names
from ._codes import ExitCode
from ._output import Output, escaped


_EXAMPLES = """  evolution-ws serve --port 8080 --instance sales --rate 2
  evolution-ws serve --global --instance sales,support
  EVOLUTION_API_KEY=secret evolution-ws serve         # asks for that key"""


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "serve",
        run,
        "run an embedded server with invented events",
        _EXAMPLES,
        "It behaves as Evolution API does on its socket and for the REST calls of a listener, and\n"
        "is reachable from this machine only. Ctrl-C and SIGTERM end it with the code 0.",
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port; 0, the default, takes a free one"
    )
    parser.add_argument(
        "-i",
        "--instance",
        action="append",
        metavar="NAME",
        help="instance, again or with commas for more; demo without it",
    )
    parser.add_argument(
        "--rate", type=not_negative, default=0.0, metavar="N", help="invented events a second"
    )
    parser.add_argument(
        "--global", dest="is_global", action="store_true", help="send every event on / as well"
    )
    parser.add_argument(
        "--lazy", action="store_true", help="namespaces come with their first event"
    )
    add_key(parser)


def run(args: Arguments) -> int:
    """Run the command."""
    output = Output()
    names = tuple(split_names(args.instance or []) or ("demo",))
    server = FakeEvolutionServer(
        instances=names,
        port=args.port,
        api_key=key_of(args),
        global_events=args.is_global,
        lazy=args.lazy,
    )
    with server:
        try:
            _announce(server, names, output)
            _stream(server, args.rate, names)
        except KeyboardInterrupt:  # SIGTERM, too
            output.line("stopped")
    return ExitCode.OK


def _announce(server: FakeEvolutionServer, names: tuple[str, ...], output: Output) -> None:
    output.line(server.url)
    asks = "asks for the api key" if server.api_key else "asks for no api key"
    listed = escaped(", ".join(names))
    output.line(output.styled(f"instances {listed}; {asks}; Ctrl-C ends it", "dim"))


def _stream(server: FakeEvolutionServer, rate: float, names: tuple[str, ...]) -> None:
    """Emit *rate* events a second until interrupted."""
    if not rate:
        threading.Event().wait()
    started = time.monotonic()
    for number, envelope in enumerate(endless_samples(names)):
        # By the clock and not by pauses, so that the rate is kept on a busy machine.
        time.sleep(max(0.0, started + number / rate - time.monotonic()))
        # Only the content: the server puts in the time at which it sends.
        server.emit(envelope["event"], envelope["data"], instance=envelope["instance"])


def endless_samples(names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield invented envelopes of all kinds for ever, of the instances in turn."""
    for _ in itertools.count():
        for envelopes in zip(*(build.samples(name) for name in names), strict=True):
            yield from envelopes
