"""Render a gateway's configuration from an `Edge`; it is written to standard output, or to a file.

  interservice render nginx shop.edge:edge --output nginx.conf
  interservice render envoy shop.edge:edge > envoy.json

HAProxy's configuration names files with public keys where it verifies tokens: they are written beside --output.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from interservice.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from interservice.gateway import Edge

SERVERS: Final = ("nginx", "envoy", "haproxy", "caddy", "kong")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("edge", metavar="MODULE:ATTRIBUTE", help="where the Edge is, such as shop.edge:edge")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead of to standard output")


def run(args: argparse.Namespace) -> int:
    """Render, and write."""
    from interservice.gateway import render  # noqa: PLC0415 - heavy

    edge = load(args.edge)
    text: str = getattr(render, args.server)(edge)
    keys = _keys(edge) if args.server == "haproxy" else {}
    if args.output is None:
        if keys:
            raise ConfigurationError("--output is needed: the configuration names files with keys, which are written beside it")
        sys.stdout.write(text)
        return 0
    args.output.write_text(text)
    for name, key in keys.items():
        args.output.with_name(name).write_bytes(key)
        sys.stderr.write(f"wrote {args.output.with_name(name)}\n")
    return 0


def load(place: str) -> Edge:
    """The Edge at "module:attribute", the attribute perhaps dotted.

    Raises:
        ConfigurationError: There is no such module or attribute, or it is no Edge.
    """
    from interservice.gateway import Edge  # noqa: PLC0415 - heavy

    name, colon, attribute = place.partition(":")
    if not (name and colon and attribute):
        raise ConfigurationError(f"MODULE:ATTRIBUTE is wanted, such as shop.edge:edge, not {place!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` has it: a module in this folder
    try:
        found: object = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise ConfigurationError(f"{name} cannot be imported: {error}") from error
        raise ConfigurationError(f"there is no module {error.name!r} (from {place!r})") from error
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise ConfigurationError(f"{name} has no {attribute!r}") from error
    if not isinstance(found, Edge):
        raise ConfigurationError(f"{place} must be an Edge, not {type(found).__name__}")
    return found


def _keys(edge: Edge) -> dict[str, bytes]:
    from interservice.gateway.render import haproxy_keys  # noqa: PLC0415 - heavy
    from interservice.gateway.render.plan import mode  # noqa: PLC0415 - heavy

    return dict(haproxy_keys(edge)) if mode(edge) == "native" else {}
