"""What looking at a token gives: who it speaks for, why it is refused, or what is left to do; and what is kept of it.

Nothing here blocks: blocking work is handed out, to be done by whoever may wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

from interservice.errors import InvalidToken

from .binding import possessed
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


class Pending:
    """A token of which something is left to do. Belongs to one request.

    `work()` gives the blocking work that should come first, or None; `judge()` then decides without I/O. Whether the certificate
    that the token may be bound to was shown is for the one who asks to check: see `possessed`.
    """

    __slots__ = ()

    def work(self) -> Callable[[], object] | None:
        """Blocking work that should come before `judge`, or None."""
        raise NotImplementedError

    def judge(self) -> Principal:
        """The principal.

        Raises:
            InvalidToken: It must not be believed.
            Unavailable: That cannot be told now.
        """
        raise NotImplementedError


class Unproven(Pending):
    """A token whose form and claims are as they should be, and whose signature has not been checked."""

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
        """Blocking work that may bring the key or the list of revocations. Nothing is fetched for a token that has expired."""
        if self._expired:
            return None
        fetching = self._verifier.keys.work(self._parsed.kid, self._parsed.algorithm)
        revocations = self._verifier.revocations
        return fetching if revocations is None else _both(fetching, revocations.work())

    def judge(self) -> Principal:
        """The principal, once the signature is proven.

        Raises:
            InvalidToken: No key of the issuer made the signature, or the token has expired.
            KeysUnavailable: The issuer's keys cannot be had now.
            RevocationsUnavailable: The list of what was revoked cannot.
        """
        verified = self._verifier.judge(self._parsed, expired=self._expired)
        if self._digest is not None:
            self._kept.keep(self._digest, verified)
        if self._verifier.revocations is not None:
            self._verifier.revocations.check(verified.principal)
        return verified.principal


#: What looking at a token gives: who it speaks for (if its sender has shown the certificate it may be bound to), why it is
#: refused, or what is left to do.
Sighting: TypeAlias = Principal | InvalidToken | Pending


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
        """Whether it is still to be believed: within its time, not revoked, and its key still in use."""
        verifier = self.verifier
        if not self.start <= verifier.clock.time() < self.end:
            return False
        if verifier.revocations is not None and not verifier.revocations.clears(self.principal):
            return False
        keys, lease = verifier.keys, self.lease
        keyset, until = lease
        if lease is keys.lease and keys.clock.monotonic() < until:
            return True
        renewed = keys.renew()
        if renewed is None or (renewed.keyset is not keyset and self.key not in renewed.keyset.keys):
            return False
        self.lease = renewed
        return True


def _both(*works: Callable[[], object] | None) -> Callable[[], object] | None:
    """All the work there is, one after the other."""
    wanted = [work for work in works if work is not None]
    return (lambda: [work() for work in wanted]) if wanted else None


def fingerprint(token: str) -> bytes | None:
    """The whole token's hash, under which its verification is kept; None for what is never kept."""
    if type(token) is str and len(token) <= _MAX_KEPT_BYTES and token.isascii():
        return sha256(token.encode()).digest()
    return None


def work_of(sighting: Sighting) -> Callable[[], object] | None:
    """The blocking work that a sighting wants, or None."""
    return sighting.work() if isinstance(sighting, Pending) else None


def conclude(sighting: Sighting, *, wait: bool, certificate: str | None = None) -> Principal:
    """The principal that a sighting comes to, having done the blocking work it wants when `wait`.

    Args:
        sighting: What looking at the token gave.
        wait: Whether blocking work may be done.
        certificate: The thumbprint of the client certificate that the token's sender has shown, or None.

    Raises:
        InvalidToken, KeysUnavailable: As `Verifier.verify`.
    """
    if isinstance(sighting, InvalidToken):
        raise sighting
    if isinstance(sighting, Principal):
        principal = sighting
    else:
        if wait and (work := sighting.work()) is not None:
            work()
        principal = sighting.judge()
    possessed(principal.certificate, certificate)
    return principal
