"""Tokens verified: form, then claims, then keys, then signature, and the outcome kept for the next request with the same token.

Looking never does I/O: a token whose key is not here says what work would bring it. What is kept is bound to the key that
proved it, to its lifetime and to five minutes, whichever ends first; a key that leaves the issuer's set ends it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from interservice.clock import SYSTEM
from interservice.condition import worst
from interservice.errors import ConfigurationError, InvalidToken, KeysUnavailable
from interservice.options import check, number, one_of, strings, text

from .algorithms import DEFAULT_ALGORITHMS, Algorithm, allowed
from .cache import RecentlyUsed
from .claims import RFC9068_CLAIMS, Expectations
from .discovery import Discovery
from .parser import Header, Parsed, parse
from .principal import Principal, principal_of
from .reason import Reason
from .sighting import Sighting, Unproven, Verified, conclude, fingerprint, work_of
from .static import StaticKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from interservice.clock import Clock
    from interservice.condition import Condition
    from interservice.events import Listener

    from .jwk import Key
    from .revocations import Revocations
    from .source import KeySource, Lease

#: Seconds for which what was verified is believed at most.
_KEPT_FOR = 300.0
#: How far the clock may go back before what was verified is verified again.
_SLACK = 1.0
#: Headers that are remembered; an issuer has one for each key.
MAX_HEADERS = 64
_EXPIRED = "The access token expired"


class Verifier:
    """Verifies the access tokens of one issuer.

    Args:
        issuer: Whose tokens: their `iss`, exactly. Several are names of one issuer with one key set; for several issuers see
            `Issuers`.
        audience: Who we are: one of these must be in `aud`. None, said aloud, accepts tokens for anybody.
        keys: `JWKS(url)`, `StaticKeys(...)` or `StaticKeys.secret(...)`. None: found through the issuer's metadata (RFC 8414,
            OpenID Connect).
        algorithms: Those that are accepted; with a secret HMAC only, and HS256 unless told otherwise.
        leeway: Seconds by which clocks may differ, at most 300.
        profile: "rfc9068" to accept nothing but access tokens that follow it.
        require: Claims that must be there, whatever they say.
        max_token_bytes: Longer tokens are refused unread.
        cache_size: How many verified tokens are kept; 0 for none.
        max_lifetime: Seconds for which a token may be made to live (exp - iat); None for any time.
        max_age: Seconds after its `iat` at which a token is too old, whatever its `exp`; None for never.
        reject_id_tokens: Whether a token with `nonce`, `at_hash` or `c_hash` and without the type of an access token is refused.
        typ: For signed tokens that are no access tokens: the one media type that their header must name. None for access tokens.
        revocations: Tokens that are no longer believed, asked on every request; None for none.
        listeners: Are told what becomes of the keys, where those are found through the issuer's metadata.
        clock: Where the time comes from.

    Raises:
        ConfigurationError: An option makes no sense.
    """

    def __init__(
        self,
        issuer: str | Sequence[str],
        audience: str | Sequence[str] | None,
        *,
        keys: KeySource | None = None,
        algorithms: Sequence[str] = DEFAULT_ALGORITHMS,
        leeway: float = 30.0,
        profile: Literal["rfc9068"] | None = None,
        require: Collection[str] = ("exp",),
        max_token_bytes: int = 8192,
        cache_size: int = 4096,
        max_lifetime: float | None = None,
        max_age: float | None = None,
        reject_id_tokens: bool = True,
        typ: str | None = None,
        revocations: Revocations | None = None,
        listeners: Iterable[Listener] = (),
        clock: Clock = SYSTEM,
    ) -> None:
        self.issuers = _names("Verifier.issuer", issuer)
        self.audiences = None if audience is None else _names("Verifier.audience", audience)
        one_of("Verifier.profile", profile, (None, "rfc9068"))
        text("Verifier.typ", typ, optional=True)
        check(typ is None or profile is None, "Verifier.typ", "absent with a profile, which says the type itself", typ)
        number("Verifier.max_token_bytes", max_token_bytes, at_least=1, integer=True)
        number("Verifier.cache_size", cache_size, at_least=0, integer=True)
        self.max_token_bytes = max_token_bytes
        self.cache_size = cache_size
        self.clock = clock
        check(revocations is None or hasattr(revocations, "clears"), "Verifier.revocations", "a Revocations", revocations)
        self.revocations = revocations
        if keys is not None and listeners:
            raise ConfigurationError("Verifier.listeners goes without Verifier.keys: the keys have listeners of their own")
        self.keys = self._discovered(listeners) if keys is None else _source(keys)
        self._algorithms = _algorithms(self.keys, algorithms)
        required = (*strings("Verifier.require", require), *(RFC9068_CLAIMS if profile else ()))
        self._expected = Expectations(
            issuers=frozenset(self.issuers),
            audiences=None if self.audiences is None else frozenset(self.audiences),
            leeway=leeway,
            rfc9068=profile == "rfc9068",
            require=tuple(dict.fromkeys(required)),
            reject_id_tokens=reject_id_tokens,
            max_lifetime=max_lifetime,
            max_age=max_age,
            typ=None if typ is None else typ.lower(),
        )
        self._kept: RecentlyUsed[Verified] = RecentlyUsed(cache_size)
        self._headers: RecentlyUsed[Header] = RecentlyUsed(MAX_HEADERS)

    def condition(self) -> Condition:
        """For `Health`: that of its keys, or of its revocations where that is worse."""
        return worst([self.keys.condition(), *([] if self.revocations is None else [self.revocations.condition()])])

    def warm(self) -> bool:
        """Have at hand what requests need, keys and revocations, waiting as long as one would; whether it is. Never raises."""
        return self.keys.warm() & (self.revocations is None or self.revocations.warm())

    def verify(self, token: str, *, certificate: str | None = None) -> Principal:
        """Who the token speaks for. May wait for keys to be fetched.

        Args:
            token: As it came.
            certificate: The thumbprint (RFC 8705) of the client certificate that its sender has shown. A token that is bound to
                a certificate is refused without it.

        Raises:
            InvalidToken: It must not be believed; `.reason` says why, from the closed set `Reason`.
            KeysUnavailable: The issuer's keys cannot be had now.
            RevocationsUnavailable: The list of what was revoked cannot.
        """
        return conclude(self.look(token), wait=True, certificate=certificate)

    def wants(self, token: str) -> Callable[[], object] | None:
        """Blocking work that should come before `check`, such as fetching keys; None when there is none, as nearly always."""
        return work_of(self.look(token))

    def check(self, token: str, *, certificate: str | None = None) -> Principal:
        """As `verify`, without I/O: with the keys that are here."""
        return conclude(self.look(token), wait=False, certificate=certificate)

    def look(self, token: str) -> Sighting:
        """What can be said of a token at once, without raising or blocking: the one look at it that a request needs."""
        digest = fingerprint(token)
        if digest is not None and (known := self._kept.find(digest)) is not None and known.holds():
            return known.principal
        try:
            return self.consider(parse(token, self.max_token_bytes, self._headers), digest, self._kept)
        except InvalidToken as refusal:
            return refusal

    def consider(self, parsed: Parsed, digest: bytes | None, kept: RecentlyUsed[Verified]) -> Unproven:
        """What is left to do for a token that has the right form.

        Raises:
            InvalidToken: Its algorithm or its claims are not those expected.
        """
        if parsed.algorithm not in self._algorithms:
            raise InvalidToken(Reason.ALGORITHM)
        expired = self._expected.check(parsed.typ, parsed.claims, self.clock.time())
        return Unproven(self, parsed, digest, kept, expired=expired)

    def judge(self, parsed: Parsed, *, expired: bool) -> Verified:
        """Prove the signature with the keys that are here.

        Raises:
            InvalidToken, KeysUnavailable: As `Unproven.judge`.
        """
        lease = self.keys.renew()
        if lease is None:
            if expired:
                raise InvalidToken(Reason.EXPIRED)
            raise KeysUnavailable("The keys that verify tokens cannot be had now.", retry_after=self.keys.retry_after())
        key = self._signer(parsed, lease)
        if expired:
            # The signature is proven, so that saying this tells nobody but the issuer's clients anything.
            raise InvalidToken(Reason.EXPIRED, _EXPIRED)
        principal = principal_of(parsed.claims, self.audiences or ())
        now = self.clock.time()
        return Verified(self, principal, key, lease, now - _SLACK, min(self._expected.ends(parsed.claims), now + _KEPT_FOR))

    def _signer(self, parsed: Parsed, lease: Lease) -> Key:
        """The key that made the signature."""
        algorithm = self._algorithms[parsed.algorithm]
        candidates = lease.keyset.candidates(parsed.kid, parsed.algorithm)
        if not candidates:
            raise InvalidToken(Reason.UNKNOWN_KEY)
        for key in candidates:
            if algorithm.verify(parsed.signed, key.material, parsed.signature):
                return key
        raise InvalidToken(Reason.SIGNATURE)

    def _discovered(self, listeners: Iterable[Listener]) -> KeySource:
        if len(self.issuers) != 1:
            raise ConfigurationError(
                "Verifier.keys must be given for several issuers; or use Issuers(Verifier(...), Verifier(...))"
            )
        return Discovery(self.issuers[0], clock=self.clock, listeners=listeners)

    def __repr__(self) -> str:
        return f"<Verifier issuer={self.issuers!r} audience={self.audiences!r}>"


def _names(option: str, value: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        text(option, value)
        return (value,)
    names = strings(option, value)
    if not names:
        raise ConfigurationError(f"{option} must name at least one, not {value!r}")
    return names


def _source(keys: KeySource) -> KeySource:
    if not hasattr(keys, "renew"):
        raise ConfigurationError(f"Verifier.keys must be JWKS, StaticKeys or None, not {keys!r}")
    return keys


def _algorithms(keys: KeySource, names: Sequence[str]) -> dict[str, Algorithm]:
    """The allow-list; HMAC goes with a configured secret, and with nothing else (RFC 8725 section 3.1)."""
    if keys.has_secret and names is DEFAULT_ALGORITHMS:
        names = ("HS256",)
    chosen = allowed("Verifier.algorithms", names)
    hmac = any(algorithm.kty == "oct" for algorithm in chosen.values())
    if hmac != keys.has_secret:
        rule = "go with StaticKeys.secret(...)" if hmac else "be HS256, HS384 or HS512 with a secret"
        raise ConfigurationError(f"Verifier.algorithms must {rule}, not {', '.join(chosen)}")
    if isinstance(keys, StaticKeys):
        _check_keys(keys, chosen)
    return chosen


def _check_keys(keys: StaticKeys, algorithms: dict[str, Algorithm]) -> None:
    """Configured keys must be of use: a secret as long as the hash (RFC 7518 section 3.2), or a public key that fits."""
    names = ", ".join(algorithms)
    for key in keys.keyset.keys if keys.has_secret else ():
        least = max(algorithm.least_secret for algorithm in algorithms.values())
        if len(key.material) < least:
            raise ConfigurationError(f"StaticKeys.secret must have at least {least} bytes for {names}, not {len(key.material)}")
    if not any(key.fits(algorithm) for key in keys.keyset.keys for algorithm in algorithms.values()):
        raise ConfigurationError(f"Verifier.keys must hold a key for one of its algorithms ({names})")
