"""Authentication and authorization at the gate: one bearer token, one look at it, one rule.

Nothing here blocks: a token whose key must be fetched first makes `prepare` ask for that work. Until a signature is proven the
answer is the same for every token, so that it tells nothing of what is configured; no part of a token or of a path is ever
echoed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from interservice.challenge import bearer, invalid_request, unauthenticated
from interservice.errors import ConfigurationError, InvalidToken, Rejection
from interservice.events import TokenRefused, TokenVerified
from interservice.hosts import check_url
from interservice.options import check, text
from interservice.tokens import Principal
from interservice.tokens.binding import possessed
from interservice.tokens.sighting import Pending

from .policy import Policy
from .rules import Rule, Rules, ambiguous, forbidden

if TYPE_CHECKING:
    from interservice.exchange import Exchange
    from interservice.tokens.sighting import Sighting

    from .policy import Work

#: RFC 6750 section 2.1; the scheme's name compares without case (RFC 9110 section 11.1).
BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE | re.ASCII)
_SCHEME = re.compile(r"bearer(?: |$)", re.IGNORECASE | re.ASCII)
_NOT_VALID = "The access token is not valid"


class Looker(Protocol):
    """What verifies tokens: `Verifier` or `Issuers`."""

    def look(self, token: str) -> Sighting:
        """What can be said of a token at once."""


#: In place of a token, for a preflight: it passes without one.
_PASSES = object()
_Sighting: TypeAlias = "Sighting | Rejection | object | None"
#: What `prepare` found out, for `admit`: the rule, the token, and what it looks like.
_Seen: TypeAlias = "tuple[Rule | None, str | None, _Sighting]"


@dataclass(frozen=True)
class JWTAuth(Policy):
    """Let a request pass with a valid bearer token, and as the rules say.

    Sets `exchange.principal` and `exchange.token`. Without rules a valid token opens everything; with rules the first match
    decides, and what no rule matches is refused (403, or 401 without a token).

    Args:
        verifier: A `Verifier`, `Issuers` for several, an `Introspection` for opaque tokens, or `ByShape` for both kinds.
        rules: Who may do what, in order.
        realm: What challenges call the protected space; by default the gate's service, else "api".
        resource_metadata: The URL of the protected resource's metadata, told to clients without a valid token (RFC 9728);
            `ProtectedResource` serves it.
        preflight: Whether CORS preflights, which never carry credentials, pass without a token.

    Raises:
        ConfigurationError: An option makes no sense.
    """

    verifier: Looker
    rules: Sequence[Rule] = field(default=(), kw_only=True)
    realm: str | None = field(default=None, kw_only=True)
    resource_metadata: str | None = field(default=None, kw_only=True)
    preflight: bool = field(default=True, kw_only=True)
    _compiled: Rules | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        check(callable(getattr(self.verifier, "look", None)), "JWTAuth.verifier", "a Verifier or Issuers", self.verifier)
        if isinstance(self.rules, Rule) or not isinstance(self.rules, Sequence):
            raise ConfigurationError(f"JWTAuth.rules must be a list of Rules, not {self.rules!r}")
        text("JWTAuth.realm", self.realm, optional=True)
        if self.resource_metadata is not None:
            check_url("JWTAuth.resource_metadata", self.resource_metadata)
        object.__setattr__(self, "rules", tuple(self.rules))
        object.__setattr__(self, "_compiled", Rules(self.rules) if self.rules else None)

    def prepare(self, exchange: Exchange) -> Work | None:
        """Look at the path and the token; blocking work is wanted where keys must be fetched first."""
        seen = exchange.seen = self._see(exchange)
        sighting = seen[2]
        return sighting.work() if isinstance(sighting, Pending) else None

    def admit(self, exchange: Exchange) -> None:
        """Decide, without I/O.

        Raises:
            Rejection: 400, 401, 403 or 503, with the challenge that RFC 6750 asks for.
        """
        rule, token, sighting = exchange.seen or self._see(exchange)
        exchange.seen = None
        realm = exchange.realm = self.realm or exchange.service
        exchange.resource_metadata = self.resource_metadata
        if sighting is _PASSES:
            return
        try:
            if isinstance(sighting, Principal) and sighting.certificate is None:
                principal = sighting
            else:
                started = exchange.clock.monotonic()
                principal = self._principal(sighting, exchange.certificate, realm)
                if isinstance(sighting, Pending):
                    exchange.report(TokenVerified(exchange.service, exchange.clock.monotonic() - started))
        except Rejection as refusal:
            public = rule is not None and rule.public
            if isinstance(refusal, InvalidToken):
                exchange.report(TokenRefused(exchange.service, str(refusal.reason), public))
            if not public:
                raise
            if sighting is not None:
                exchange.annotate(**{"auth.reason": str(getattr(refusal, "reason", refusal.code))})
            return
        exchange.principal, exchange.token = principal, token
        if self._compiled is None:
            return
        denied = forbidden() if rule is None else rule.refusal(principal, realm, exchange.clock)
        if denied is not None:
            raise denied

    def _see(self, exchange: Exchange) -> _Seen:
        """The rule, the token and what it looks like.

        Raises:
            Rejection: 400 for a path that has more than one meaning.
        """
        request, rule = exchange.request, None
        if self._compiled is not None:
            if ambiguous(exchange.path, request):
                raise Rejection("The path has more than one meaning.", status=400, code="ambiguous_path")
            rule = self._compiled.match(request.method, exchange.path)
        if request.method == "OPTIONS" and self.preflight and request.is_preflight:
            return rule, None, _PASSES
        fields = request.headers.all("authorization")
        if not fields:
            return rule, None, None
        if len(fields) > 1:
            many = invalid_request(self.realm or exchange.service, "There is more than one Authorization field")
            return rule, None, many
        # Nearly always the scheme is spelt like this, and a token that looks good has proved its grammar.
        value = fields[0]
        token = value[7:] if value.startswith("Bearer ") else ""
        sighting = self.verifier.look(token) if token else None
        if isinstance(sighting, (Principal, Pending)):
            return rule, token, sighting
        return rule, *self._by_grammar(value, token, sighting, self.realm or exchange.service)

    def _by_grammar(
        self, value: str, token: str, sighting: InvalidToken | None, realm: str | None
    ) -> tuple[str | None, _Sighting]:
        """The token in a field that holds no plain good one, with what it looks like."""
        match = BEARER.fullmatch(value)
        if match is not None:
            return match[1], sighting if match[1] == token else self.verifier.look(match[1])
        malformed = _SCHEME.match(value) is not None
        return None, invalid_request(realm, "The Authorization field is malformed") if malformed else None

    def _principal(self, sighting: _Sighting, certificate: str | None, realm: str | None) -> Principal:
        """The principal of a token that is not known yet, or that is bound to a certificate.

        Raises:
            Rejection: There is no token, or it is not to be believed, or that cannot be told now.
        """
        if sighting is None:
            raise unauthenticated(realm, self.resource_metadata)
        try:
            if isinstance(sighting, Rejection):
                raise sighting
            principal = sighting.judge() if isinstance(sighting, Pending) else cast(Principal, sighting)
            possessed(principal.certificate, certificate)
        except InvalidToken as refusal:
            description = refusal.detail or _NOT_VALID
            parameters = {"error": refusal.code, "error_description": description, "resource_metadata": self.resource_metadata}
            refusal.headers.append(bearer(realm, **parameters))
            refusal.detail = f"{description}."
            raise
        return principal
