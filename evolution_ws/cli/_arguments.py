"""Arguments that several commands share, and what they and the environment amount to."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import urllib3

from ..client import Client
from ..config import ClientConfig, config_from_env
from ..exceptions import ConfigError
from ..rest import Api
from ._codes import CODES_HELP


Arguments: TypeAlias = argparse.Namespace
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

PREFIX = "EVOLUTION_"


@attrs.frozen
class Target:
    """A server, the instances that are meant there, and how to reach them."""

    url: str
    instances: tuple[str, ...] | str | None
    """``"*"`` for every instance; None when none was named: that, or the one in the URL."""
    api_key: str | None = attrs.field(repr=False)
    config: ClientConfig

    def client(self, **options: Any) -> Client:
        """Return an unconnected client; *options* win over arguments and environment."""
        return Client(self.url, self.instances, api_key=self.api_key, config=self.config, **options)

    def api(self, timeout: float | None = None) -> Api:
        """Return the REST interface; *timeout* None takes that of connecting."""
        config = self.config
        if config.verify is False:
            # It was asked for; once per request it need not be repeated.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return Api(
            self.url,
            self.api_key,
            timeout=config.connect_timeout if timeout is None else timeout,
            verify=config.verify,
            cert=config.cert,
            proxy=config.proxy,
            origin=config.origin,
            headers=config.headers,
        )

    def named_instances(self) -> tuple[str, ...] | None:
        """Return the instances of arguments, environment or URL; None for all of them."""
        names = tuple(name[1:] for name in self.client().namespaces if name != "/")
        return names or None

    def instance(self) -> str:
        """
        Return the one instance that is meant.

        Raises:
            ConfigError: There is none, or more than one.
        """
        names = self.named_instances()
        if names is None or len(names) != 1:
            raise ConfigError(f"name one instance with --instance or {PREFIX}INSTANCE")
        return names[0]


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[Arguments], int],
    summary: str,
    examples: str,
    about: str = "",
) -> argparse.ArgumentParser:
    """Add a command to the parser and return its own parser."""
    parser = commands.add_parser(
        name,
        help=summary,
        description="\n\n".join(filter(None, [summary[0].upper() + summary[1:] + ".", about])),
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="tell more; -vv tells everything"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="tell errors only")
    return parser


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which server and instances are meant."""
    group = parser.add_argument_group("server")
    group.add_argument("--url", help=f"address of the server ({PREFIX}URL)")
    group.add_argument(
        "-i",
        "--instance",
        action="append",
        metavar="NAME",
        help="instance; again or with commas for more; * for all of a server in global mode "
        f"({PREFIX}INSTANCE)",
    )
    add_key(parser)
    group = parser.add_argument_group("connection")
    group.add_argument("--ca-file", metavar="FILE", help="authorities to trust instead")
    group.add_argument(
        "--insecure", action="store_true", help="do not check the server's certificate"
    )
    group.add_argument("--proxy", metavar="URL", help="proxy; 'none' ignores the environment's")
    group.add_argument("--origin", help="Origin header, for servers that limit CORS origins")
    group.add_argument(
        "--connect-timeout", type=positive, metavar="SECONDS", help="longest time to connect"
    )


def add_key(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that tell the api key."""
    group = parser.add_argument_group("api key")
    group.add_argument(
        "--api-key-file", metavar="FILE", help="file that holds the api key; - is standard input"
    )
    group.add_argument(
        "--api-key",
        metavar="KEY",
        help=f"the api key; everybody on this machine sees it there, unlike {PREFIX}API_KEY "
        "and --api-key-file",
    )


def key_of(args: Arguments, environ: Mapping[str, str] | None = None) -> str | None:
    """
    Return the api key of the arguments or the environment; None without one.

    Raises:
        ConfigError: The file cannot be read, or holds no key.
    """
    environ = os.environ if environ is None else environ
    if args.api_key is not None:
        return str(args.api_key)
    if args.api_key_file is None:
        return environ.get(f"{PREFIX}API_KEY") or None
    try:
        is_input = args.api_key_file == "-"
        text = sys.stdin.readline() if is_input else Path(args.api_key_file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not text"
        raise ConfigError(f"cannot read {args.api_key_file}: {reason}") from None
    if not text.strip():
        raise ConfigError(f"{args.api_key_file} holds no api key")
    return text.strip()


def target_of(args: Arguments, environ: Mapping[str, str] | None = None) -> Target:
    """
    Return what *args* and the environment mean; arguments win.

    Raises:
        ConfigError: There is no URL, or something cannot work.
    """
    environ = os.environ if environ is None else environ
    url = args.url or environ.get(f"{PREFIX}URL", "")
    if not url:
        raise ConfigError(f"which server? Give --url or set {PREFIX}URL")
    given = args.instance or [environ.get(f"{PREFIX}INSTANCE", "")]
    config = ClientConfig(**{**config_from_env(PREFIX, environ), **_options(args)})
    target = Target(url, split_names(given), key_of(args, environ), config)
    target.client()  # refuses what cannot work, before anything is done
    return target


def split_names(given: list[str]) -> tuple[str, ...] | str | None:
    """Return the names in *given*, which may hold commas; ``"*"`` for all, None for none."""
    names = tuple(name.strip() for text in given for name in text.split(",") if name.strip())
    return "*" if "*" in names else names or None


def _options(args: Arguments) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if args.insecure:
        found["verify"] = False
    elif args.ca_file is not None:
        found["verify"] = args.ca_file
    if args.proxy is not None:
        found["proxy"] = None if args.proxy.lower() == "none" else args.proxy
    if args.origin is not None:
        found["origin"] = args.origin
    if args.connect_timeout is not None:
        found["connect_timeout"] = args.connect_timeout
    return found


def positive(text: str) -> float:
    """Read a number greater than 0, for argparse."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"has to be greater than 0: {text}")
    return number


def not_negative(text: str) -> float:
    """Read a number that is not below 0, for argparse."""
    return 0.0 if text.strip() in ("0", "0.0") else positive(text)


def count(text: str) -> int:
    """Read a whole number from 1 on, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"has to be at least 1: {text}")
    return number


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str) -> datetime:
    """Read a time with its zone, or how long ago it was (``90s``, ``30m``, ``2h``, ``1d``)."""
    unit = _UNITS.get(text[-1:])
    if unit is not None and text[:-1].replace(".", "", 1).isdigit():
        return datetime.now(timezone.utc) - timedelta(**{unit: float(text[:-1])})
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"neither a time such as 2026-01-31T08:00:00Z nor a duration such as 2h: {text}"
        ) from None
    return found.astimezone() if found.tzinfo is None else found


__all__ = [
    "CODES_HELP",
    "PREFIX",
    "Arguments",
    "Commands",
    "Target",
    "add_command",
    "add_key",
    "add_server",
    "count",
    "key_of",
    "moment",
    "not_negative",
    "positive",
    "split_names",
    "target_of",
]
