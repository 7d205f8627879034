"""What looking at a token gives: who it speaks for, why it is refused, or what is left to do; and what is kept of it.

Nothing here blocks: blocking work is handed out, to be done by whoever may wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

from interservice.errors import InvalidToken

from .principal import Principal

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cache import RecentlyUsed
    from .jwk import Key
    from .parser import Parsed
    from .source import Lease
    from .verifier import Verifier

#: Larger tokens are verified each time.
_MAX_KEPT_BYTES = 4096


class Unproven:
    """A token whose form and claims are as they should be, and whose signature has not been checked. Belongs to one request.

    `work()` gives the blocking work that should come first, or None; `judge()` then decides without I/O.
    """

    __slots__ = ("_digest", "_expired", "_kept", "_parsed", "_verifier")

    def __init__(
        self, verifier: Verifier, parsed: Parsed, digest: bytes | None, kept: RecentlyUsed[Verified], *, expired: bool
    ) -> None:
        self._verifier = verifier
        self._parsed = parsed
        self._digest = digest
        self._kept = kept
        self._expired = expired

    def work(self) -> Callable[[], object] | None:
        """Blocking work that may bring the key, or None. Nothing is fetched for a token that has expired."""
        return None if self._expired else self._verifier.keys.work(self._parsed.kid, self._parsed.algorithm)

    def judge(self) -> Principal:
        """The principal, once the signature is proven.

        Raises:
            InvalidToken: No key of the issuer made the signature, or the token has expired.
            KeysUnavailable: The issuer's keys cannot be had now.
        """
        verified = self._verifier.judge(self._parsed, expired=self._expired)
        if self._digest is not None:
            self._kept.keep(self._digest, verified)
        return verified.principal


#: What looking at a token gives: who it speaks for, why it is refused, or what is left to do.
Sighting: TypeAlias = Principal | InvalidToken | Unproven


@dataclass(slots=True, eq=False)
class Verified:
    """A token that was verified: what it says, and for how long and by which key that holds.

    Attributes:
        verifier: Whose expectations it met.
        principal: Who it speaks for.
        key: The key that proved it.
        lease: The keys among which that key was last seen; the one thing here that changes.
        start, end: Within which time, in seconds since the epoch, it is believed.
    """

    verifier: Verifier
    principal: Principal
    key: Key
    lease: Lease
    start: float
    end: float

    def holds(self) -> bool:
        """Whether it is still to be believed: within its time, and its key still in use."""
        verifier = self.verifier
        if not self.start <= verifier.clock.time() < self.end:
            return False
        keys, lease = verifier.keys, self.lease
        if lease is keys.lease and keys.clock.monotonic() < lease.until:
            return True
        renewed = keys.renew()
        if renewed is None or (renewed.keyset is not lease.keyset and self.key not in renewed.keyset.keys):
            return False
        self.lease = renewed
        return True


def fingerprint(token: str) -> bytes | None:
    """The whole token's hash, under which its verification is kept; None for what is never kept."""
    if type(token) is not str or len(token) > _MAX_KEPT_BYTES or not token.isascii():
        return None
    return sha256(token.encode()).digest()


def conclude(sighting: Sighting, *, wait: bool) -> Principal:
    """The principal that a sighting comes to, having done the blocking work it wants when `wait`.

    Raises:
        InvalidToken, KeysUnavailable: As `Verifier.verify`.
    """
    if isinstance(sighting, Principal):
        return sighting
    if isinstance(sighting, InvalidToken):
        raise sighting
    if wait and (work := sighting.work()) is not None:
        work()
    return sighting.judge()
