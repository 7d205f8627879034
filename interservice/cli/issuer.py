"""Run the embedded authorization server, for development.

Clients are given one by one, with a secret that is made up and shown unless there is one:
  interservice issuer --client id=orders,scope=invoices:read,audience=invoices
or in a file, a JSON list of objects with client_id, secret or jwks, scopes, audiences, lifetime, introspects, exchanges:
  interservice issuer --clients clients.json
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from interservice.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from interservice.issuer import Client, KeyRing

ADMIN_TOKEN: Final = "INTERSERVICE_ADMIN_TOKEN"  # noqa: S105 - the name of a variable
_FIELDS: Final = frozenset({"client_id", "secret", "jwks", "scopes", "audiences", "lifetime", "introspects", "exchanges"})
_LISTS: Final = {"scope": "scopes", "audience": "audiences"}
_FLAGS: Final = ("introspects", "exchanges")
_CLIENT: Final = "id=ID[,secret=S][,scope=S]...[,audience=A]...[,introspects][,exchanges]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=9400, help="port to listen on, 0 for a free one (default: %(default)s)")
    add("--allow-remote", action="store_true", help="let other machines reach it: it is not made for that")
    add("--issuer", metavar="URL", help="the identifier (default: the URL it is served at)")
    add("--client", action="append", default=[], metavar=_CLIENT, help="a client; may be repeated")
    add("--clients", type=Path, metavar="FILE", help="a JSON list of clients")
    add("--key", type=Path, metavar="FILE", help="sign with the private key in this PEM file, which is made if it is not there")
    add("--alg", help="the algorithm of the key (default: RS256, or the usual one of the key's type)")
    add("--lifetime", type=float, default=300.0, metavar="SECONDS", help="how long tokens live (default: %(default)s)")
    add("--admin", action="store_true", help=f"serve POST /admin/rotate, for the bearer token in {ADMIN_TOKEN} or a new one")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from interservice.issuer import serve  # noqa: PLC0415 - heavy

    clients = [*map(_client, args.client), *_from_file(args.clients)]
    admin = (os.environ.get(ADMIN_TOKEN) or _made_up("admin token")) if args.admin else None
    server = serve(
        clients=clients,
        host=args.host,
        port=args.port,
        issuer=args.issuer,
        keys=_keys(args.key, args.alg),
        lifetime=args.lifetime,
        admin_token=admin,
        allow_remote=args.allow_remote,
    )
    for client in clients:
        scopes, audiences = " ".join(client.scopes) or "-", " ".join(client.audiences) or server.app.issuer
        _say(f"client {client.client_id}: {', '.join(client.methods)}; scopes {scopes}; audiences {audiences}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server.run()
    return 0


def _client(text: str) -> Client:
    values: dict[str, Any] = {"scopes": [], "audiences": []}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if name in _FLAGS and not equals:
            values[name] = True
        elif name in _LISTS and value:
            values[_LISTS[name]].append(value)
        elif name in {"id", "secret"} and value:
            values["client_id" if name == "id" else "secret"] = value
        else:
            msg = f"--client has no {name!r}: id=, secret=, scope=, audience=, {' or '.join(_FLAGS)}"
            raise ConfigurationError(msg)
    return _made(values)


def _from_file(path: Path | None) -> Iterable[Client]:
    if path is None:
        return []
    try:
        entries = json.loads(path.read_text())
    except ValueError as error:
        msg = f"{path} must be JSON: {error}"
        raise ConfigurationError(msg) from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and entry.keys() <= _FIELDS for entry in entries):
        msg = f"{path} must be a list of objects with {', '.join(sorted(_FIELDS))}"
        raise ConfigurationError(msg)
    return map(_made, entries)


def _made(values: dict[str, Any]) -> Client:
    from interservice.issuer import Client  # noqa: PLC0415 - heavy

    if "client_id" not in values:
        raise ConfigurationError("a client needs an id")
    if "secret" not in values and "jwks" not in values:
        values = {**values, "secret": _made_up(f"secret of client {values['client_id']}")}
    return Client(**values)


def _keys(path: Path | None, alg: str | None) -> KeyRing | None:
    from interservice.issuer.keys import KeyRing, generate, load  # noqa: PLC0415 - heavy

    if path is None:
        return None if alg is None else KeyRing.generate([alg])
    if not path.exists():
        key = generate(alg or "RS256")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.pem())
        _say(f"a new key is in {path}")
        return KeyRing([key])
    return KeyRing([load(path.read_bytes(), alg=alg)])


def _made_up(what: str) -> str:
    secret = secrets.token_urlsafe(24)
    _say(f"{what}: {secret}")
    return secret


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
