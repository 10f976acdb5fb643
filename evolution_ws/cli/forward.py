"""``evolution-ws forward``: turn events into calls of Celery tasks."""

from __future__ import annotations

from ..exceptions import ConfigError
from ._arguments import Arguments, Commands, add_command, add_server, count, positive, target_of
from ._codes import ExitCode
from .listen import event_names


_EXAMPLES = """  evolution-ws forward --app shop.celery --task shop.tasks.handle --durable inbox.db
  evolution-ws forward -A shop.celery --task shop.tasks.handle --events messages.upsert
  evolution-ws forward -A shop.celery --task shop.tasks.handle --redis broker   # one of several"""

_LEASE = 2.0


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "forward",
        run,
        "turn events into calls of a Celery task",
        _EXAMPLES,
        "Each event becomes one call on the app's own broker. Runs until SIGTERM or Ctrl-C, which\n"
        "end it with the code 0. Needs celery: pip install evolution-ws[celery].",
    )
    parser.add_argument(
        "-A", "--app", required=True, metavar="MODULE", help="the Celery app, as for celery --app"
    )
    parser.add_argument("--task", required=True, metavar="NAME", help="name of the task")
    parser.add_argument("--queue", metavar="NAME", help="queue; without it the app decides")
    parser.add_argument(
        "--queues", type=count, metavar="N", help="spread the chats over N queues, NAME.0 and so on"
    )
    parser.add_argument(
        "--routing-key", metavar="KEY", help="routing key; chat gives each chat one of its own"
    )
    parser.add_argument(
        "-e", "--events", action="append", default=[], metavar="NAMES", help="only these events"
    )
    parser.add_argument(
        "--durable", metavar="FILE", help="keep events in this file until the broker has them"
    )
    group = parser.add_argument_group("several forwarders")
    group.add_argument(
        "--redis", metavar="URL", help="Redis that they share; broker takes that of the app"
    )
    group.add_argument(
        "--shards", type=count, default=1, metavar="N", help="parts to spread the instances over"
    )
    group.add_argument("--name", help="name of the group; that of the task without it")
    group.add_argument(
        "--lease",
        type=positive,
        default=_LEASE,
        metavar="SECONDS",
        help="how long the others wait for one that died (2)",
    )
    add_server(parser)


def run(args: Arguments) -> int:
    """Run the command."""
    try:
        from ..integrations.celery import run_forwarder
    except ImportError as exc:
        raise ConfigError(str(exc)) from None
    # An event is done when the broker has it, and not when the loop goes on.
    options = {"auto_ack": False} | ({} if args.durable is None else {"durable": args.durable})
    run_forwarder(
        args.app,
        target_of(args).client(**options),
        task=args.task,
        queue=args.queue,
        queues=args.queues,
        routing_key=args.routing_key,
        types=event_names(args.events),
        redis=args.redis,
        shards=args.shards,
        name=args.name,
        lease=args.lease,
    )
    return ExitCode.OK
