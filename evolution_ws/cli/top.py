from ._arguments import Commands


def add_parser(commands: Commands) -> None:
    pass
