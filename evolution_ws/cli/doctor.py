"""``evolution-ws doctor``: find out why there are no events."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator

from ..event_types import event_type
from ._arguments import (
    Arguments,
    Commands,
    add_command,
    add_server,
    not_negative,
    target_of,
)
from ._check_account import (
    check_instances,
    check_key,
    fix_settings,
    judge_settings,
    missing,
    read_settings,
)
from ._check_live import Watch, judge_clock, judge_events, judge_global, judge_namespaces, watch
from ._check_network import check_dns, check_proxy, check_tcp, check_tls, check_url
from ._check_server import check_server, check_socket
from ._findings import Finding, Status, Table, as_json, worst
from ._output import Output
from ._site import Site, make_site
from .listen import event_names


_EXAMPLES = """  evolution-ws doctor --url https://api.example.com --instance sales
  evolution-ws doctor --events messages.upsert,call --wait 60
  evolution-ws doctor --fix            # switches on what is missing, after asking
  evolution-ws doctor --json | jq '.findings[] | select(.status != "ok")'

exit codes of doctor:
  0 all is well   1 something to look at   2 something keeps events from arriving"""

_DEFAULT_WAIT = 10.0
_TIMEOUT = 10.0

# Each needs those before it: where one fails, the next has nothing to stand on.
_NETWORK: tuple[Callable[[Site], Iterator[Finding]], ...] = (
    check_url,
    check_proxy,
    check_dns,
    check_tcp,
    check_tls,
)


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "doctor",
        run,
        "find out why no events arrive",
        _EXAMPLES,
        "Checks everything between here and the events, from the outside in: address, proxy, TLS,\n"
        "server, socket, key, instance, settings, namespace. It changes nothing without --fix.",
    )
    parser.set_defaults(is_calm=True)
    add_server(parser)
    parser.add_argument(
        "-e",
        "--events",
        action="append",
        default=[],
        metavar="NAMES",
        help="the events you want, in any spelling; messages.upsert without it",
    )
    parser.add_argument(
        "--wait",
        type=not_negative,
        default=_DEFAULT_WAIT,
        metavar="SECONDS",
        help="wait so long for events (10); 0 does not wait",
    )
    parser.add_argument(
        "--fix", action="store_true", help="switch on missing events in the settings, after asking"
    )
    parser.add_argument("--yes", action="store_true", help="fix without asking")
    parser.add_argument("--json", action="store_true", help="write one JSON document")


def run(args: Arguments) -> int:
    """Run the command."""
    target = target_of(args)
    wanted = tuple(event_type(name) for name in event_names(args.events) or ["messages.upsert"])
    site = make_site(target, wanted, args.connect_timeout or _TIMEOUT)
    output = Output()
    table = None if args.json else Table(output)
    findings: list[Finding] = []
    for finding in diagnose(site, args):
        findings.append(finding)
        if table is not None:
            table.show(finding)
    if table is None:
        output.json(as_json(findings))
    else:
        table.conclude(findings)
    return list(Status).index(worst(findings))


def diagnose(site: Site, args: Arguments) -> Iterator[Finding]:
    """Yield what there is to say about *site*, from the outside in."""
    for check in _NETWORK:
        for finding in check(site):
            yield finding
            if finding.status is Status.FAILURE:
                return
    reached = yield from _ask_server(site)
    if not reached:
        return
    with site.target.api(site.probe.timeout) as api:
        yield from check_key(site, api)
        if site.is_evolution and not site.is_locked_out:
            yield from check_instances(site, api)
            unreadable = list(read_settings(site, api))
            if args.fix:
                for name in [one for one in site.settings if missing(site, one)]:
                    if args.yes or _agreed(f"Switch on {', '.join(missing(site, name))}", name):
                        yield fix_settings(site, api, name)
        else:
            unreadable = []
    seen = _watch(site, args.wait) if site.is_socket_open else Watch()
    yield from unreadable
    yield from judge_settings(site, seen.is_global)
    if site.is_socket_open:
        yield from judge_namespaces(site, seen)
        yield from judge_global(site, seen)
        yield from judge_events(site, seen, args.wait)
    yield from judge_clock(site, seen)


def _ask_server(site: Site) -> Generator[Finding, None, bool]:
    """Yield the findings about server and socket; return whether to go on."""
    findings = []
    for check in (check_server, check_socket):
        for finding in check(site):
            findings.append(finding)
            yield finding
        if not site.is_evolution and findings[-1].status is Status.FAILURE:
            return False
    return True


def _watch(site: Site, seconds: float) -> Watch:
    if seconds and sys.stderr.isatty():
        note = Output(sys.stderr)
        note.line(note.styled(f"(waiting up to {seconds:g} s for events)", "dim"))
    return watch(site, seconds)


def _agreed(question: str, name: str) -> bool:
    """Ask at the terminal; without one the answer is no."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"{question} for {name}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes", "s", "sim")
