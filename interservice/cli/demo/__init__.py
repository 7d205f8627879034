"""Run the reference architecture on loopback, put it through trouble, and show how each phase went; about a minute.

A client talks to an API gateway (gate and adapter), which talks to two instances of an orders service (Flask), which talk to
an invoices service (Django); an OAuth2 issuer and a StatsD receiver stand beside. All are real servers, and end with the demo.

With --servers, other people's: NGINX or Envoy asks forward-auth about each request and passes it on to HAProxy; oidc-provider
gives tokens, Redis keeps revocations, collectd and Prometheus the metrics. With --availability, a steady load on those.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from interservice.options import number

if TYPE_CHECKING:
    import argparse

    from .runner import Options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), help="folder for access logs and metrics (demo-output)"
    )
    parser.add_argument("--examples", type=Path, default=None, help="folder of the example services (found beside the package)")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each phase with traffic lasts (5)")
    parser.add_argument("--servers", action="store_true", help="on real servers, which `make servers` installs")
    parser.add_argument("--gateway", choices=["nginx", "envoy"], default="nginx", help="with --servers: what is in front (nginx)")
    parser.add_argument(
        "--availability", type=float, metavar="MINUTES", help="with --servers: a steady load for so long, and a report on it"
    )
    parser.add_argument("--rate", type=float, default=60.0, help="with --availability: calls a second (60)")
    parser.add_argument("--plain", action="store_true", help="plain lines, also on a terminal")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 0 when every phase did what it should."""
    from .runner import EMBEDDED, demonstrate  # noqa: PLC0415 - loads requests, which other commands need not

    options: Options = {"seconds": arguments.seconds, "plain": arguments.plain}
    number("--seconds", arguments.seconds, above=0)
    if arguments.availability is not None:
        number("--availability", arguments.availability, above=0)
        number("--rate", arguments.rate, above=0)
        from .availability.run import measure  # noqa: PLC0415 - needs the extras redis and gateway

        return measure(
            arguments.output,
            arguments.examples,
            gateway=arguments.gateway,
            seconds=60.0 * arguments.availability,
            rate=arguments.rate,
        )
    if arguments.servers:
        from .servers.show import show  # noqa: PLC0415 - needs the extras redis and gateway

        return demonstrate(show(arguments.gateway), arguments.output, arguments.examples, **options)
    return demonstrate(EMBEDDED, arguments.output, arguments.examples, **options)
