"""How long a token is used, and what follows when one cannot be had: a state machine on values, without clock, lock or I/O.

fresh   until `soft`      the token is used
soft    until `hard`      used, while one fetch for its successor is under way
hard    until `expires`   everybody waits for the fetch; the token is the fallback while it lasts
empty                     everybody waits for the fetch
After a failure nothing is fetched before `next_attempt`. Sources: botocore, azure-identity and MSAL for the windows; fixed ones
of 300 s would refetch tokens of short life at every call, so they are capped to a share of the lifetime.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final

#: Before expiry, in seconds and as a share of the lifetime, whichever is less.
_SOFT: Final = (300.0, 0.25)
_HARD: Final = (30.0, 0.1)
#: With a token still in use, a failed refresh is not repeated sooner.
_REFRESH_PAUSE: Final = 30.0
#: A service that answers 401 to a token as young as this will not like the next one better.
_STORM: Final = 10.0


@dataclass(frozen=True, slots=True)
class Held:
    """A token and its moments on the monotonic scale, in seconds."""

    value: str = field(repr=False)
    minted: float
    soft: float
    hard: float
    expires: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no token.

    Attributes:
        reason: One sentence, with no secret in it.
        pause: Seconds before another fetch makes sense.
        oauth_error: The token endpoint's error code (RFC 6749 section 5.2), or None.
        passing: Whether another try at once may well succeed.
    """

    reason: str
    pause: float
    oauth_error: str | None = None
    passing: bool = False


def held(value: str, *, asked: float, lifetime: float, jitter: float) -> Held:
    """A token with its windows.

    Args:
        value: The token.
        asked: When the request for it was sent, so that the time it took counts as used.
        lifetime: Seconds from then.
        jitter: U(0.8, 1), so that a fleet does not refresh at once.
    """
    expires = asked + lifetime
    soft = expires - min(_SOFT[0], _SOFT[1] * lifetime) * jitter
    return Held(value, minted=asked, soft=soft, hard=expires - min(_HARD[0], _HARD[1] * lifetime), expires=expires)


@dataclass(frozen=True, slots=True)
class TokenState:
    """The token held and the last failure; every change is a new value."""

    token: Held | None = None
    failure: Failure | None = None
    next_attempt: float = -math.inf

    def usable(self, now: float) -> str | None:
        """A token that has not expired."""
        return self.token.value if self.token is not None and now < self.token.expires else None

    def must_wait(self, now: float) -> bool:
        """Whether a call should wait for a fetch rather than use what is there (hard, empty)."""
        return self.token is None or now >= self.token.hard

    def wants_fetch(self, now: float) -> bool:
        """Whether a fetch should be under way (soft, hard, empty) and none failed too recently."""
        return (self.token is None or now >= self.token.soft) and now >= self.next_attempt

    def fetched(self, token: Held) -> TokenState:
        """A token came."""
        return TokenState(token)

    def failed(self, failure: Failure, now: float) -> TokenState:
        """No token came; what is held stays."""
        following = now + failure.pause
        if self.token is not None and now < self.token.hard:
            following = max(following, min(now + _REFRESH_PAUSE, self.token.hard))
        return replace(self, failure=failure, next_attempt=following)

    def refused(self, value: str, now: float) -> tuple[TokenState, bool]:
        """A service answered 401 to `value`: the state after it, and whether a replay with another token makes sense.

        The token is dropped only if it is still the one held, so that many refusals of one token lead to one fetch; one younger
        than ten seconds is kept, so that a service which refuses everything leads to none.
        """
        if self.token is None:
            return self, now >= self.next_attempt
        if self.token.value != value:
            return self, now < self.token.expires
        if now - self.token.minted < _STORM or now < self.next_attempt:
            return self, False
        return replace(self, token=None), True
