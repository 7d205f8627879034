"""What a verifier asks of whoever holds the keys; `StaticKeys` and `JWKS` answer.

A lease is a key set with the moment until which it may be used without asking again: the common path is one comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from interservice.clock import Clock
    from interservice.condition import Condition

    from .keyset import KeySet


class Lease(NamedTuple):
    """Keys to use, without asking again, until `until` (seconds on the source's monotonic clock)."""

    keyset: KeySet
    until: float


class KeySource(Protocol):
    """Where an issuer's keys come from. Nothing here blocks but the work that `work` gives."""

    #: The lease at hand, possibly run out; None before the first keys came.
    lease: Lease | None
    clock: Clock

    @property
    def has_secret(self) -> bool:
        """Whether these are configured secrets, for HMAC and nothing else."""

    @property
    def kids(self) -> frozenset[str]:
        """The ids of the usable keys."""

    def renew(self) -> Lease | None:
        """A lease that has not run out, having started a refresh where one is due; None when there are no keys to use."""

    def work(self, kid: str | None, algorithm: str) -> Callable[[], object] | None:
        """Blocking work that may bring this key; None when it is here already, or is not to be asked for now."""

    def condition(self) -> Condition:
        """How it does, for `Health`, without blocking."""

    def warm(self) -> bool:
        """Have keys at hand, waiting as long as a request would; whether there are any. Never raises."""

    def retry_after(self) -> float:
        """Seconds after which keys may be there, when there are none now."""
