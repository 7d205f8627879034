"""The gateway's signature: who asks, for one request, in a JWT that lives for seconds.

Needs one secret, or one private key whose public half the services have. Nothing here is kept: each request is signed anew.
"""

from __future__ import annotations

import json
import math
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import jwt

from interservice.clock import SYSTEM
from interservice.errors import ConfigurationError
from interservice.inbound.gateway_claims import ISSUER, REQUEST, TOKEN_HASH, TYPE, digest, named, spoken, token_hash
from interservice.options import number, strings, text
from interservice.outbound.assertion import load
from interservice.tokens import StaticKeys
from interservice.tokens.jwk import key_from_public

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from interservice.clock import Clock
    from interservice.exchange import Exchange, Identity

#: A token about to end was good when the gateway saw it; the request still has to get to the service.
_LEAST_LIFETIME = 5.0


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Signs who asks, for `forward_auth` and the embedded gateway; `GatewayIdentity` verifies it.

    Args:
        secret: Shared with the services: at least 32 random bytes (HS256). While it is replaced, the services take both.
        private_key: Instead of a secret: PEM or JWK (RSA from 2048 bits, EC or Ed25519). Services cannot sign then.
        lifetime: Seconds for which an identity is good; less where the client's token ends sooner.
        issuer: The gateway's name.
        audience: For whom; None for every service that believes the key.
        claims: Claims of the token that go along, for rules and handlers.
        clock: Where the time comes from.

    Raises:
        ConfigurationError: An option makes no sense, or there is not exactly one of secret and private_key.
    """

    secret: bytes | None = field(default=None, repr=False)
    private_key: Mapping[str, Any] | str | bytes | None = field(default=None, repr=False)
    lifetime: float = 30.0
    issuer: str = ISSUER
    audience: str | Sequence[str] | None = None
    claims: Sequence[str] = ("acr", "auth_time", "amr", "cnf")
    clock: Clock = field(default=SYSTEM, repr=False)
    _key: Any = field(init=False, repr=False, compare=False)
    _header: dict[str, str] = field(init=False, repr=False, compare=False)
    _head: bytes = field(init=False, repr=False, compare=False)
    _engine: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.secret is None) == (self.private_key is None):
            raise ConfigurationError("Signer must be given a secret or a private_key, and not both")
        number("Signer.lifetime", self.lifetime, at_least=_LEAST_LIFETIME, at_most=600)
        text("Signer.issuer", self.issuer)
        if self.audience is not None and not isinstance(self.audience, str):
            object.__setattr__(self, "audience", strings("Signer.audience", self.audience))
        object.__setattr__(self, "claims", strings("Signer.claims", self.claims))
        if self.secret is not None:
            StaticKeys.secret(self.secret)  # checks its strength
            key, algorithm, kid = self.secret, "HS256", None
        else:
            loaded = load("Signer.private_key", self.private_key)
            key, algorithm = loaded.private, loaded.alg
            kid = loaded.kid or key_from_public(key.public_key()).kid
        header = {"alg": algorithm, "typ": TYPE} | ({} if kid is None else {"kid": kid})
        engine = jwt.get_algorithm_by_name(algorithm)
        object.__setattr__(self, "_key", engine.prepare_key(key))
        object.__setattr__(self, "_header", header)
        # All identities have the same header: encoded once, since one is signed for each request.
        object.__setattr__(self, "_head", _encoded(_json(header)) + b".")
        object.__setattr__(self, "_engine", engine)

    def sign(self, exchange: Exchange) -> str:
        """The identity for an exchange that the gate has let through; of nobody, where it has no principal."""
        return self._signed(digest(exchange.request), exchange.principal, exchange.token)

    def issue(self, method: str, target: str, principal: Identity | None = None, *, token: str | None = None) -> str:
        """The identity for a request that was not seen here: for gateways of your own, and for tests of services.

        Args:
            method: The request's.
            target: Its path as sent, percent-encoded, and its query.
            principal: Who asks; None for nobody.
            token: The client's token, where it goes on to the service.
        """
        path, _, query = target.partition("?")
        return self._signed(named(method, unquote(path), query), principal, token)

    def _signed(self, request: str, principal: Identity | None, token: str | None) -> str:
        now = self.clock.time()
        end = now + self.lifetime
        claims: dict[str, Any] = {"iss": self.issuer}
        if self.audience is not None:
            claims["aud"] = self.audience
        if principal is not None:
            claims |= spoken(principal, self.claims)
            end = max(min(end, principal.expires_at), now + _LEAST_LIFETIME)
            if token is not None:
                claims[TOKEN_HASH] = token_hash(token)
        claims |= {"iat": int(now), "exp": math.ceil(end), REQUEST: request}
        signed = self._head + _encoded(_json(claims))
        return (signed + b"." + _encoded(self._engine.sign(signed, self._key))).decode()

    @property
    def jwks(self) -> dict[str, Any]:
        """The public key as a JWK Set (RFC 7517), for the services' `StaticKeys` or to be served to their `JWKS`; no secrets."""
        if self.secret is not None:
            return {"keys": []}
        public: dict[str, Any] = self._engine.to_jwk(self._key.public_key(), as_dict=True)
        public.pop("key_ops", None)
        return {"keys": [{**public, "kid": self._header["kid"], "use": "sig", "alg": self._header["alg"]}]}


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encoded(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")
