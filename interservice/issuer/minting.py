"""Signed tokens from claims: the JWS of RFC 7515 and the access token of RFC 9068. Pure: time and ids are handed in."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from jwt.algorithms import OKPAlgorithm, get_default_algorithms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .keys import SigningKey

#: RFC 9068 section 2.1: access tokens say what they are.
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type


def sign(key: SigningKey, claims: Mapping[str, Any], *, alg: str | None = None, headers: Mapping[str, Any] | None = None) -> str:
    """The claims as a compact JWS (RFC 7515 section 7.1) by `key`.

    The header is alg, typ at+jwt and kid, with `headers` put over it as they are, however wrong; None takes a name out.
    """
    name = alg or key.alg
    header = _without_none({"alg": name, "typ": ACCESS_TOKEN_TYPE, "kid": key.kid, **(headers or {})})
    signing_input = f"{_segment(_json(header))}.{_segment(_json(_without_none(claims)))}"
    # PyJWT knows RFC 8037's name only; RFC 9864's is the same signature.
    signer = OKPAlgorithm() if name == "Ed25519" else get_default_algorithms()[name]
    return f"{signing_input}.{_segment(signer.sign(signing_input.encode(), key.private))}"


def access_token_claims(
    *,
    issuer: str,
    subject: str,
    audience: str | list[str] | None,
    client_id: str,
    scope: str | None,
    now: float,
    lifetime: float,
    token_id: str,
) -> dict[str, Any]:
    """The claims that RFC 9068 section 2.2 asks for, times in whole seconds; a scope or audience of None is left out."""
    issued = int(now)
    claims = {
        "iss": issuer,
        "sub": subject,
        "aud": audience,
        "client_id": client_id,
        "iat": issued,
        "exp": issued + int(lifetime),
        "jti": token_id,
        "scope": scope,
    }
    return _without_none(claims)


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
