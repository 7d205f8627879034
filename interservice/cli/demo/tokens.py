"""Tokens as the demo's authorization server signs them, and such as it never would."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING

from interservice.issuer import KeyRing
from interservice.issuer.minting import access_token_claims, sign

from .stack import AUDIENCE, CLIENT

if TYPE_CHECKING:
    from interservice.clock import Clock

    from .stack import Stack

_LIFETIME = 60.0
_LONG_AGO = 600.0


def minted(stack: Stack, clock: Clock, *, token_id: str | None = None) -> str:
    """A good token for the demo's client, with an id of its own."""
    return sign(stack.key(), _claims(stack, clock, token_id=token_id))


def forgeries(stack: Stack, clock: Clock) -> list[str]:
    """Expired, for another audience, by another key, by none, altered."""
    key, claims = stack.key(), _claims(stack, clock)
    head, payload, signature = sign(key, claims).split(".")
    altered = json.dumps({**claims, "scope": "orders:read orders:write"}).encode()
    unsigned = _base64url(b'{"alg":"none","typ":"at+jwt"}')
    return [
        sign(key, _claims(stack, clock, age=_LONG_AGO)),
        sign(key, _claims(stack, clock, audience="invoices")),
        sign(KeyRing.generate(("RS256",)).key(), claims),
        f"{unsigned}.{payload}.",
        f"{head}.{_base64url(altered)}.{signature}",
    ]


def _claims(
    stack: Stack, clock: Clock, *, audience: str = AUDIENCE, age: float = 0.0, token_id: str | None = None
) -> dict[str, object]:
    return access_token_claims(
        issuer=stack.issuer_url,
        subject=CLIENT,
        audience=audience,
        client_id=CLIENT,
        scope="orders:read",
        now=clock.time() - age,
        lifetime=_LIFETIME,
        token_id=token_id or uuid.uuid4().hex,
    )


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
