"""Several issuers side by side: the token's `iss` picks the verifier, and with it the only keys that may prove it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interservice.condition import Condition, worst
from interservice.errors import ConfigurationError, InvalidToken

from .cache import RecentlyUsed
from .parser import Header, parse
from .reason import Reason
from .sighting import Sighting, Verified, conclude, fingerprint, work_of
from .verifier import MAX_HEADERS, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from .principal import Principal


class Issuers:
    """Verifies the tokens of several issuers.

    A key of one never proves a token of another, and an issuer that is not among them is asked for nothing.

    Raises:
        ConfigurationError: There is no verifier, or two of them are for the same issuer.
    """

    def __init__(self, *verifiers: Verifier) -> None:
        self.verifiers = verifiers
        self._by_issuer: dict[str, Verifier] = {}
        if not verifiers:
            raise ConfigurationError("Issuers must be given at least one Verifier")
        for verifier in verifiers:
            if not isinstance(verifier, Verifier):
                raise ConfigurationError(f"Issuers must be given Verifiers, not {verifier!r}")
            for issuer in verifier.issuers:
                if self._by_issuer.setdefault(issuer, verifier) is not verifier:
                    raise ConfigurationError(f"Issuers must be given one Verifier for each issuer; two are for {issuer!r}")
        self._max_token_bytes = max(verifier.max_token_bytes for verifier in verifiers)
        self._kept: RecentlyUsed[Verified] = RecentlyUsed(sum(verifier.cache_size for verifier in verifiers))
        self._headers: RecentlyUsed[Header] = RecentlyUsed(MAX_HEADERS * len(verifiers))

    def condition(self) -> Condition:
        """For `Health`: the worst of its verifiers', and a warning as long as one of them can verify."""
        conditions = [verifier.condition() for verifier in self.verifiers]
        found = worst(conditions)
        usable = any(condition.status != "fail" for condition in conditions)
        return Condition("warn", found.output) if found.status == "fail" and usable else found

    def warm(self) -> bool:
        """As `Verifier.warm`, for every issuer; whether all have their keys."""
        return sum(verifier.warm() for verifier in self.verifiers) == len(self.verifiers)

    def verify(self, token: str, *, certificate: str | None = None) -> Principal:
        """As `Verifier.verify`, with the verifier of the token's issuer.

        Raises:
            InvalidToken: It must not be believed, or its issuer is none of these.
            KeysUnavailable: The issuer's keys cannot be had now.
        """
        return conclude(self.look(token), wait=True, certificate=certificate)

    def wants(self, token: str) -> Callable[[], object] | None:
        """As `Verifier.wants`."""
        return work_of(self.look(token))

    def check(self, token: str, *, certificate: str | None = None) -> Principal:
        """As `Verifier.check`: without I/O."""
        return conclude(self.look(token), wait=False, certificate=certificate)

    def look(self, token: str) -> Sighting:
        """As `Verifier.look`."""
        digest = fingerprint(token)
        if digest is not None and (known := self._kept.find(digest)) is not None and known.holds():
            return known.principal
        try:
            parsed = parse(token, self._max_token_bytes, self._headers)
            verifier = self._of(parsed.claims.get("iss"), len(token))
            return verifier.consider(parsed, digest if verifier.cache_size else None, self._kept)
        except InvalidToken as refusal:
            return refusal

    def _of(self, issuer: object, size: int) -> Verifier:
        verifier = self._by_issuer.get(issuer) if isinstance(issuer, str) else None
        if verifier is None:
            raise InvalidToken(Reason.ISSUER)
        if size > verifier.max_token_bytes:
            raise InvalidToken(Reason.TOO_LARGE)
        return verifier

    def __repr__(self) -> str:
        return f"<Issuers {sorted(self._by_issuer)}>"
