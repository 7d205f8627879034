"""Whether to try again, and when. Decides only: the flow waits, and asks the budget last.

The order of the gates is attempts left, class of failure by method, body replayable, time left, an endpoint available, budget.
The first three are `may_retry`; `Waits` has the pauses of one call.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from interservice import options

from .backoff import Backoff
from .budget import RetryBudget
from .outcome import ONCE_MORE, RETRYABLE_STATUSES, Outcome
from .retry_after import parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from .outcome import WireFacts

__all__ = ["IDEMPOTENT_METHODS", "Retry", "Waits", "parse_retry_after"]

#: RFC 9110 section 9.2.2, and QUERY (RFC 10008), which is safe and idempotent.
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"})

#: A try with less time left than this is not worth its bytes.
MIN_USEFUL = 0.005
#: Retry-After is kept at least, and exceeded by up to this share, so that clients do not all return at once.
_SPREAD = 0.1
#: A server that says it is overloaded, but not for how long, is left alone by a longer backoff (botocore: 1 s, not 0.05).
_OVERLOADED = frozenset({429, 503})
#: With a key of ours: an earlier try is still being worked on, wherever that is. As good a reason to wait.
_CONFLICT = 409
#: Failures after which a request may have been processed.
_MAYBE_PROCESSED = frozenset({Outcome.STALE, Outcome.RESET, Outcome.READ_TIMEOUT, Outcome.TRUNCATED, Outcome.STATUS})


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """What is tried again, how often and after which pause.

    Args:
        attempts: How often a request may be sent in all, the first time included.
        backoff: The pauses between tries.
        budget: What retries may cost the destination as a whole; None for no budget.
        unsent_budget: The same for retries of what was not sent at all, which cost the destination little and us time; None for
            no budget.
        statuses: Answers that are tried again. 408 and 425 are tried once more besides, by their definition.
        methods: Methods that may be repeated although the server may have processed them.
        idempotency_key: "auto" gives each request of another method an Idempotency-Key, the same for all its tries, which makes
            it repeatable; None leaves that to the caller. A request that has the header is repeatable either way.
        quoted_key: Whether that key is sent in quotes, as the draft has it (a Structured Field string), or bare, as many services
            that are older than the draft expect it.
        retry_unsafe: Repeat other methods as well, whatever was processed. For services known to be idempotent throughout.
        retry_after_cap: A Retry-After of more seconds is not waited for: the answer is returned at once.
        overload_backoff: The pauses after a 429 or 503 that does not say how long to wait.

    Raises:
        ConfigurationError: a number is out of range, or a value has the wrong type.
    """

    attempts: int = 3
    backoff: Backoff = field(default_factory=Backoff)
    budget: RetryBudget | None = field(default_factory=RetryBudget)
    unsent_budget: RetryBudget | None = field(default_factory=lambda: RetryBudget(ratio=1.0))
    statuses: Collection[int] = RETRYABLE_STATUSES
    methods: Collection[str] = IDEMPOTENT_METHODS
    idempotency_key: Literal["auto"] | None = None
    quoted_key: bool = True
    retry_unsafe: bool = False
    retry_after_cap: float = 30.0
    overload_backoff: Backoff = field(default_factory=lambda: Backoff(base=1.0, cap=20.0))

    def __post_init__(self) -> None:
        options.number("Retry.attempts", self.attempts, at_least=1, integer=True)
        for name in ("backoff", "overload_backoff"):
            options.check(isinstance(getattr(self, name), Backoff), f"Retry.{name}", "a Backoff", getattr(self, name))
        for name in ("budget", "unsent_budget"):
            value = getattr(self, name)
            options.check(value is None or isinstance(value, RetryBudget), f"Retry.{name}", "a RetryBudget or None", value)
        options.check(isinstance(self.statuses, Collection), "Retry.statuses", "a list of statuses", self.statuses)
        for status in self.statuses:
            options.number("Retry.statuses", status, at_least=100, at_most=599, integer=True)
        object.__setattr__(self, "statuses", frozenset(self.statuses))
        methods = options.strings("Retry.methods", self.methods)
        object.__setattr__(self, "methods", frozenset(method.upper() for method in methods))
        options.one_of("Retry.idempotency_key", self.idempotency_key, (None, "auto"))
        for name in ("retry_unsafe", "quoted_key"):
            options.check(isinstance(getattr(self, name), bool), f"Retry.{name}", "True or False", getattr(self, name))
        options.number("Retry.retry_after_cap", self.retry_after_cap, at_least=0)

    def key(self) -> str:
        """A new Idempotency-Key, as it goes into the header."""
        key = uuid.uuid4()
        return f'"{key}"' if self.quoted_key else str(key)

    def repeatable(self, method: str, *, keyed: bool) -> bool:
        """Whether a request may be sent again although it may have been processed."""
        return keyed or self.retry_unsafe or method.upper() in self.methods

    def may_retry(
        self, outcome: Outcome, *, method: str, keyed: bool, facts: WireFacts, status: int | None = None, attempt: int = 1
    ) -> bool:
        """Whether a try that ended so may be followed by another; time, endpoints and the budget are the flow's to ask.

        Args:
            outcome: What became of the try.
            method: Of the request.
            keyed: Whether the request carries an Idempotency-Key.
            facts: What the connection saw.
            status: Of the answer, where there was one.
            attempt: The number of the try that ended; the first is 1.
        """
        if attempt >= self.attempts or not facts.replayable:
            return False
        if outcome is Outcome.NEVER_SENT:
            return True
        if outcome not in _MAYBE_PROCESSED:
            return False
        if status in ONCE_MORE and outcome is Outcome.STATUS and status not in self.statuses:
            # 425: the server says that it has not processed the request (RFC 8470 section 5.2)
            return attempt == 1 and (status == 425 or self.repeatable(method, keyed=keyed))  # noqa: PLR2004
        return self.repeatable(method, keyed=keyed)

    def worth_waiting(self, wait: float, remaining: float, retry_after: float | None = None) -> bool:
        """Whether to wait `wait` seconds of `remaining`: time must be left for a try, and Retry-After be within the cap."""
        if retry_after is not None and retry_after > self.retry_after_cap:
            return False
        return wait + MIN_USEFUL < remaining

    def waits(self, random: Random) -> Waits:
        """The pauses of one call."""
        return Waits(self, random)


class Waits:
    """The pauses of one call, in the order of its tries."""

    __slots__ = ("_backoff", "_overload", "_random", "_retry", "_stale")

    def __init__(self, retry: Retry, random: Random) -> None:
        self._retry = retry
        self._random = random
        self._backoff: Iterator[float] | None = None
        self._overload: Iterator[float] | None = None
        self._stale = False

    def after(
        self, outcome: Outcome, *, status: int | None = None, retry_after: float | None = None, elsewhere: bool = False
    ) -> float:
        """Seconds to wait before the next try.

        The first stale connection costs no pause: the server closed an idle connection, and is well. Retry-After is never
        undercut, and exceeded by up to a tenth.

        Args:
            outcome: What became of the try before.
            status: Its status, where there was one.
            retry_after: Seconds that it asked to wait, where it did.
            elsewhere: The next try goes to another endpoint, which did not ask for anything.
        """
        if outcome is Outcome.STALE and not self._stale:
            self._stale = True
            return 0.0
        if elsewhere and status != _CONFLICT:
            return self._next()
        if retry_after:
            return max(self._next(), retry_after * (1.0 + _SPREAD * self._random.random()))
        if outcome is Outcome.STATUS and (status in _OVERLOADED or status == _CONFLICT):
            return self._next_overload()
        return self._next()

    def _next(self) -> float:
        if self._backoff is None:
            self._backoff = self._retry.backoff.delays(self._random)
        return next(self._backoff)

    def _next_overload(self) -> float:
        if self._overload is None:
            self._overload = self._retry.overload_backoff.delays(self._random)
        return next(self._overload)
