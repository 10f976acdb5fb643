"""``evolution-ws completion``: a script for the shell that completes commands and options."""

from __future__ import annotations

from ..exceptions import ConfigError
from ._arguments import Arguments, Commands, add_command
from ._codes import ExitCode
from ._output import Output


_EXAMPLES = """  source <(evolution-ws completion bash)      # in ~/.bashrc
  evolution-ws completion zsh > "${fpath[1]}/_evolution-ws"
"""


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands, "completion", run, "print a script that completes this command", _EXAMPLES
    )
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"))


def run(args: Arguments) -> int:
    """Run the command."""
    try:
        import shtab
    except ImportError:
        raise ConfigError("completion needs shtab: pip install evolution-ws[cli]") from None
    script: str = shtab.complete(args.root, args.shell)
    Output().line(script)
    return ExitCode.OK
