"""Get an access token with client credentials, or mint one with a key of the embedded issuer; it is written to standard output.

  interservice token --issuer http://127.0.0.1:9400 --client-id orders --scope invoices:read
  interservice token --mint --key dev.pem --issuer http://127.0.0.1:9400 --sub orders --aud invoices --scope invoices:read

The client's secret is read from INTERSERVICE_CLIENT_SECRET unless a file or a private key is named.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from interservice.clock import SYSTEM
from interservice.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

CLIENT_SECRET: Final = "INTERSERVICE_CLIENT_SECRET"  # noqa: S105 - the name of a variable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--issuer", metavar="URL", help="the authorization server's identifier, from which its endpoint is discovered")
    add("--scope", help="the scopes, in one string")
    add("--decode", action="store_true", help="also write the token's header and claims, not verified, to standard error")
    ask = parser.add_argument_group("to ask for a token")
    ask.add_argument("--token-url", metavar="URL", help="the token endpoint, instead of discovery")
    ask.add_argument("--client-id")
    ask.add_argument("--client-secret-file", type=Path, metavar="FILE")
    ask.add_argument("--private-key", type=Path, metavar="FILE", help="PEM or JWK, for private_key_jwt")
    ask.add_argument("--auth-method", choices=["client_secret_basic", "client_secret_post", "private_key_jwt"])
    ask.add_argument("--audience")
    ask.add_argument("--resource", action="append")
    ask.add_argument("--allow-http", action="store_true", help="send secrets over plain http beyond this machine")
    ask.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS")
    mint = parser.add_argument_group("to mint a token")
    mint.add_argument("--mint", action="store_true", help="sign one here, for development")
    mint.add_argument("--key", type=Path, metavar="FILE", help="the private key, PEM")
    mint.add_argument("--alg")
    mint.add_argument("--sub")
    mint.add_argument("--aud", action="append")
    mint.add_argument("--expires-in", type=float, default=300.0, metavar="SECONDS")
    mint.add_argument("--claim", action="append", default=[], metavar="NAME=JSON", help="a further claim")


def run(args: argparse.Namespace) -> int:
    """Write a token."""
    from interservice.outbound.errors import TokenUnavailable  # noqa: PLC0415 - heavy

    try:
        token = _minted(args) if args.mint else _fetched(args)
    except TokenUnavailable as error:
        sys.stderr.write(f"interservice: {error}\n")
        return 1
    sys.stdout.write(f"{token}\n")
    if args.decode:
        sys.stderr.write(_decoded(token))
    return 0


def _fetched(args: argparse.Namespace) -> str:
    from interservice.outbound.credentials import ClientCredentials  # noqa: PLC0415 - heavy

    _need(args, "--client-id")
    key = args.private_key.read_text() if args.private_key else None
    credentials = ClientCredentials(
        client_id=args.client_id,
        client_secret=None if key else _secret(args.client_secret_file),
        private_key=key,
        token_url=args.token_url,
        issuer=args.issuer,
        auth_method=args.auth_method,
        scope=args.scope,
        resource=args.resource,
        audience=args.audience,
        allow_http=args.allow_http,
    )
    return credentials.token(args.timeout)


def _secret(path: Path | None) -> str:
    secret = path.read_text().strip("\r\n") if path else os.environ.get(CLIENT_SECRET, "")
    if not secret:
        msg = f"a secret is needed: --client-secret-file, --private-key or the variable {CLIENT_SECRET}"
        raise ConfigurationError(msg)
    return secret


def _minted(args: argparse.Namespace) -> str:
    from interservice.issuer.keys import load  # noqa: PLC0415 - heavy
    from interservice.issuer.minting import access_token_claims, sign  # noqa: PLC0415 - heavy

    for option in ("--key", "--issuer", "--sub", "--aud"):
        _need(args, option)
    claims = access_token_claims(
        issuer=args.issuer,
        subject=args.sub,
        audience=args.aud[0] if len(args.aud) == 1 else args.aud,
        client_id=args.client_id or args.sub,
        scope=args.scope,
        now=SYSTEM.time(),
        lifetime=args.expires_in,
        token_id=str(uuid.uuid4()),
    )
    return sign(load(args.key.read_bytes(), alg=args.alg), {**claims, **dict(map(_claim, args.claim))})


def _claim(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError as error:
        msg = f"--claim must be NAME=JSON, not {text!r}"
        raise ConfigurationError(msg) from error


def _need(args: argparse.Namespace, option: str) -> None:
    if not getattr(args, option.strip("-").replace("-", "_")):
        raise ConfigurationError(f"{option} is needed")


def _decoded(token: str) -> str:
    segments = token.split(".")
    if len(segments) != 3:  # noqa: PLR2004 - RFC 7515 section 7.1
        return "the token is opaque\n"
    try:
        parts = [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in segments[:2]]
    except ValueError:
        return "the token is opaque\n"
    return "".join(json.dumps(part, indent=2) + "\n" for part in parts)
