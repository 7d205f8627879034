"""Who asks, as the gateway in front has found out and signed: for services that do not verify tokens themselves.

The identity is a JWT of its own media type, made for one request: it names that request, so that whoever catches one can do no
more with it than send the same request once more while it lives. Its absence means that the request did not come through the
gateway; what nobody needs to sign in for comes with an identity of nobody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, TypeAlias

from interservice.challenge import bearer
from interservice.clock import SYSTEM
from interservice.errors import ConfigurationError, InvalidToken, Rejection
from interservice.events import TokenRefused
from interservice.options import check, text
from interservice.tokens import Principal, StaticKeys, Verifier
from interservice.tokens.algorithms import DEFAULT_ALGORITHMS
from interservice.tokens.reason import Reason
from interservice.tokens.sighting import Pending

from .auth import BEARER
from .gateway_claims import ISSUER, REQUEST, TOKEN_HASH, TYPE, digest, heard, token_hash
from .gateway_headers import IDENTITY
from .peers import Peers
from .policy import Policy
from .rules import Rule, Rules, ambiguous, forbidden

if TYPE_CHECKING:
    from interservice.clock import Clock
    from interservice.exchange import Exchange
    from interservice.http import Request
    from interservice.tokens.sighting import Sighting
    from interservice.tokens.source import KeySource

    from .policy import Work

_SPELT = re.compile(IDENTITY.replace("-", "[-_]"), re.ASCII)
_MAX_BYTES = 16_384
_LEEWAY = 5.0
_DETAILS: Final = {
    "no_gateway_identity": "The request did not come through the gateway.",
    "invalid_gateway_identity": "The gateway's word for this request cannot be believed.",
    "unauthenticated": "Authentication is required.",
}

#: Keys to verify with: a secret, several while one is being replaced, or public keys.
Keys: TypeAlias = "bytes | Sequence[bytes] | KeySource"


@dataclass(frozen=True)
class GatewayIdentity(Policy):
    """Let a request pass when the gateway in front has signed for it, and as the rules say.

    Stands where `JWTAuth` would, in services that leave the tokens to `forward_auth`. Sets `exchange.principal`: who the client's
    token speaks for, with that token's issuer; None where the gateway let nobody in particular through. Without rules the
    gateway's word is enough; with rules the first match decides, as for `JWTAuth`.

    Sets `exchange.token` too where the gateway forwards the token that it verified.

    Args:
        keys: What the gateway signs with: the shared secret (at least 32 bytes; several while one is being replaced), or
            `StaticKeys` or `JWKS` with its public keys.
        rules: Who may do what, in order.
        issuer: The gateway's name, as its `Signer` has it.
        audience: Ours, where the `Signer` names one.
        trusted: The networks (CIDR) of the gateways; requests from other peers are refused unseen. None trusts the signature
            alone. Goes by the connection's other end: some servers put the client of X-Forwarded-For in its place.
        bound: Whether the identity must be for this very method, path and query. False where the gateway rewrites paths.
        algorithms: Those accepted; HS256 with a secret.
        leeway: Seconds by which the gateway's clock may differ.
        preflight: Whether CORS preflights pass the rules without a principal.
        realm: What challenges call the protected space; by default the gate's service, else "api".
        clock: Where the time comes from.

    Raises:
        ConfigurationError: An option makes no sense.
    """

    keys: Keys = field(repr=False)
    rules: Sequence[Rule] = field(default=(), kw_only=True)
    issuer: str = field(default=ISSUER, kw_only=True)
    audience: str | Sequence[str] | None = field(default=None, kw_only=True)
    trusted: Sequence[str] | None = field(default=None, kw_only=True)
    bound: bool = field(default=True, kw_only=True)
    algorithms: Sequence[str] = field(default=DEFAULT_ALGORITHMS, kw_only=True)
    leeway: float = field(default=_LEEWAY, kw_only=True)
    preflight: bool = field(default=True, kw_only=True)
    realm: str | None = field(default=None, kw_only=True)
    clock: Clock = field(default=SYSTEM, kw_only=True)
    _verifier: Verifier = field(init=False, repr=False, compare=False)
    _peers: Peers | None = field(init=False, repr=False, compare=False, default=None)
    _compiled: Rules | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        text("GatewayIdentity.issuer", self.issuer)
        text("GatewayIdentity.realm", self.realm, optional=True)
        verifier = Verifier(
            self.issuer,
            self.audience,
            keys=_source(self.keys),
            algorithms=self.algorithms,
            leeway=self.leeway,
            typ=TYPE,
            require=("exp", "iat", REQUEST),
            max_token_bytes=_MAX_BYTES,
            cache_size=0,  # each is for one request
            clock=self.clock,
        )
        object.__setattr__(self, "_verifier", verifier)
        if self.trusted is not None:
            object.__setattr__(self, "_peers", Peers("GatewayIdentity.trusted", self.trusted))
        if isinstance(self.rules, Rule) or not isinstance(self.rules, Sequence):
            raise ConfigurationError(f"GatewayIdentity.rules must be a list of Rules, not {self.rules!r}")
        for rule in self.rules:
            check(isinstance(rule, Rule), "GatewayIdentity.rules", "Rules", rule)
        object.__setattr__(self, "rules", tuple(self.rules))
        object.__setattr__(self, "_compiled", Rules(self.rules) if self.rules else None)

    def prepare(self, exchange: Exchange) -> Work | None:
        """Look at the identity; blocking work is wanted where keys must be fetched first."""
        sighting = exchange.seen = self._look(exchange.request)
        return sighting.work() if isinstance(sighting, Pending) else None

    def admit(self, exchange: Exchange) -> None:
        """Decide, without I/O.

        Raises:
            Rejection: 401 without a good identity (`no_gateway_identity`, `invalid_gateway_identity`); by the rules 400, 401 or
                403; 503 when the gateway's public keys cannot be had.
        """
        sighting = exchange.seen or self._look(exchange.request)
        exchange.seen = None
        realm = exchange.realm = self.realm or exchange.service
        if sighting is None:
            raise _refused("no_gateway_identity", realm)
        try:
            identity = self._proven(sighting, exchange.request)
            principal = heard(identity)
        except InvalidToken as refusal:
            exchange.report(TokenRefused(exchange.service, str(refusal.reason), public=False))
            exchange.annotate(**{"auth.reason": str(refusal.reason)})
            raise _refused("invalid_gateway_identity", realm) from refusal
        if principal is not None:
            exchange.principal = principal
            exchange.token = _forwarded(exchange.request, identity.claims.get(TOKEN_HASH))
        if self._compiled is not None:
            self._judge(exchange, self._compiled, principal, realm)

    def _look(self, request: Request) -> Sighting | None:
        """The one identity that the request carries, or None.

        A second field, a spelling with an underscore, which some servers would take for the first, and a value that a server
        has joined of two are all refused: one of them would be somebody else's. An empty field is none: Caddy sends one for what
        its `forward_auth` did not get.
        """
        if self._peers is not None and request.peer not in self._peers:
            return None
        found = None
        for name, value in request.headers.items():
            if len(name) == len(IDENTITY) and _SPELT.fullmatch(name) is not None:
                if found is not None or name != IDENTITY:
                    return InvalidToken(Reason.MALFORMED)
                found = value
        return self._verifier.look(found) if found else None

    def _proven(self, sighting: Sighting, request: Request) -> Principal:
        """The identity, for this request.

        Raises:
            InvalidToken: It must not be believed, or it is for another request.
            Unavailable: That cannot be told now.
        """
        if isinstance(sighting, InvalidToken):
            raise sighting
        identity = sighting.judge() if isinstance(sighting, Pending) else sighting
        named = identity.claims[REQUEST]
        if self.bound and not (isinstance(named, str) and compare_digest(named.encode(), digest(request).encode())):
            raise InvalidToken(Reason.BINDING)
        return identity

    def _judge(self, exchange: Exchange, rules: Rules, principal: Principal | None, realm: str | None) -> None:
        """Refuse what the rules do not allow."""
        request = exchange.request
        if ambiguous(exchange.path, request):
            raise Rejection("The path has more than one meaning.", status=400, code="ambiguous_path")
        if self.preflight and request.is_preflight:
            return
        rule = rules.match(request.method, exchange.path)
        if rule is not None and rule.public:
            return
        if principal is None:
            raise _refused("unauthenticated", realm)
        denied = forbidden() if rule is None else rule.refusal(principal, realm, exchange.clock)
        if denied is not None:
            raise denied


def _source(keys: Keys) -> KeySource:
    """Where keys come from; bytes are secrets."""
    if isinstance(keys, bytes):
        return StaticKeys.secret(keys)
    if isinstance(keys, (list, tuple)):
        return StaticKeys.secret(*keys)
    check(hasattr(keys, "renew"), "GatewayIdentity.keys", "a secret, StaticKeys or JWKS", type(keys))
    return keys  # type: ignore[return-value]


def _refused(code: str, realm: str | None) -> Rejection:
    """401 with a scheme of its own: no access token that the client could fetch would help (RFC 9110 section 11.6.1)."""
    challenge = bearer(realm)[1].replace("Bearer", "Gateway", 1)
    return Rejection(_DETAILS[code], status=401, code=code, headers=[("WWW-Authenticate", challenge)])


def _forwarded(request: Request, expected: object) -> str | None:
    """The token in Authorization, where it is the one that the gateway verified."""
    if not isinstance(expected, str):
        return None
    fields = request.headers.all("authorization")
    match = BEARER.fullmatch(fields[0]) if len(fields) == 1 else None
    same = match is not None and compare_digest(token_hash(match[1]).encode(), expected.encode())
    return match[1] if match is not None and same else None
