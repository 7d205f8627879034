"""Run the reference architecture on loopback, put it through trouble, and show how each phase went; about a minute.

A client talks to an API gateway (gate and adapter), which talks to two instances of an orders service (Flask), which talk to
an invoices service (Django); an OAuth2 issuer and a StatsD receiver stand beside. All are real servers, and end with the demo.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), help="folder for access logs and metrics (demo-output)"
    )
    parser.add_argument("--examples", type=Path, default=None, help="folder of the example services (found beside the package)")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each phase with traffic lasts (5)")
    parser.add_argument("--plain", action="store_true", help="plain lines, also on a terminal")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 0 when every phase did what it should."""
    from .runner import demonstrate  # noqa: PLC0415 - loads requests and the services' servers, which other commands need not

    return demonstrate(arguments.output, arguments.examples, seconds=arguments.seconds, plain=arguments.plain)
