"""The command line: `interservice <command>`, or `python -m interservice <command>`.

Every module of `interservice.cli` is a command.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from typing import TYPE_CHECKING, Final, Protocol, cast

from . import cli
from .errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

_USAGE_ERROR: Final = 2
_INTERRUPTED: Final = 130


class Command(Protocol):
    """What a module of `interservice.cli` has."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's options."""

    def run(self, args: argparse.Namespace) -> int:
        """Carry it out and give the exit status."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` names; its exit status, 2 for what was asked wrongly and 1 for what went wrong."""
    args = _parser(sys.argv[1:] if argv is None else argv)
    try:
        return int(args.run(args))
    except ConfigurationError as error:
        sys.stderr.write(f"interservice: {error}\n")
        return _USAGE_ERROR
    except OSError as error:
        sys.stderr.write(f"interservice: {error}\n")
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parser(argv: Sequence[str]) -> argparse.Namespace:
    """Only the module of the command that is called is imported; for help, every one."""
    names = [module.name for module in pkgutil.iter_modules(cli.__path__) if not module.name.startswith("_")]
    wanted = [name for name in names if argv and argv[0] == name] or names
    parser = argparse.ArgumentParser(prog="interservice", description="Tools for services that talk to each other.")
    commands = parser.add_subparsers(metavar="command", required=True)
    for name in wanted:
        command = cast(Command, importlib.import_module(f"{cli.__name__}.{name}"))
        text = (command.__doc__ or "").strip()
        one = commands.add_parser(
            name, help=text.partition("\n")[0], description=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.add_arguments(one)
        one.set_defaults(run=command.run)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
