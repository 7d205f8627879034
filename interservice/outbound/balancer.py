"""Which endpoint the next call goes to. Pure but for the turn of round-robin, which `Balancer.start()` makes anew for each user.

Sources: Mitzenmacher, "The Power of Two Choices" (2001); Finagle's P2C and peak EWMA; Envoy's LEAST_REQUEST.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from interservice import options

from .endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from random import Random

Kind: TypeAlias = Literal["p2c", "peak-ewma", "round-robin"]

#: How many pairs are drawn before every endpoint is looked at (Finagle draws up to 4 where most are healthy).
_EFFORT = 3


class Picker(Protocol):
    """Picks an endpoint for one try. In a panic one that is bearable will do. One may be listed several times, by its weight."""

    def pick(
        self, endpoints: Sequence[Endpoint], *, tried: Collection[Endpoint], random: Random, now: float, panic: bool = False
    ) -> Endpoint | None:
        """An available endpoint, one not in `tried` before one that is; None when none is available."""


@dataclass(frozen=True, slots=True)
class Balancer:
    """How calls are spread over endpoints.

    Args:
        kind: "p2c" takes the one with fewer calls under way of two drawn at random; "peak-ewma" the one of two that is expected
            to answer sooner; "round-robin" takes turns.

    Raises:
        ConfigurationError: the kind is unknown.
    """

    kind: Kind = "p2c"

    def __post_init__(self) -> None:
        options.one_of("Balancer.kind", self.kind, ("p2c", "peak-ewma", "round-robin"))

    def start(self) -> Picker:
        """A picker with state of its own; one for each destination."""
        if self.kind == "p2c":
            return FewestInFlight()
        return LeastLatency() if self.kind == "peak-ewma" else Turns()


class FewestInFlight:
    """Two at random, and of these the one with fewer calls under way."""

    __slots__ = ()

    def pick(
        self, endpoints: Sequence[Endpoint], *, tried: Collection[Endpoint], random: Random, now: float, panic: bool = False
    ) -> Endpoint | None:
        """An available endpoint, one not in `tried` before one that is; None when none is available."""
        count = len(endpoints)
        if count > 1 and not panic:
            draw = random.random
            for _ in range(_EFFORT):
                first = int(draw() * count)
                second = int(draw() * (count - 1))
                one = endpoints[first]
                other = endpoints[second + (second >= first)]
                if one.available(now) and one not in tried:
                    if other.available(now) and other not in tried and self._lighter(other, one, now):
                        return other
                    return one
                if other.available(now) and other not in tried:
                    return other
        return self._survey(endpoints, tried, random, now, panic=panic)

    def _survey(
        self, endpoints: Sequence[Endpoint], tried: Collection[Endpoint], random: Random, now: float, *, panic: bool
    ) -> Endpoint | None:
        """Look at every endpoint: few are available, or all that are were tried."""
        able = Endpoint.bearable if panic else Endpoint.available
        available = [endpoint for endpoint in endpoints if able(endpoint, now)]
        choice = [endpoint for endpoint in available if endpoint not in tried] or available
        if not choice:
            return None
        one = choice[int(random.random() * len(choice))]
        other = choice[int(random.random() * len(choice))]
        return other if self._lighter(other, one, now) else one

    @staticmethod
    def _lighter(one: Endpoint, other: Endpoint, now: float) -> bool:  # noqa: ARG004 - the siblings' signature
        return one.in_flight < other.in_flight


class LeastLatency(FewestInFlight):
    """Two at random, and of these the one where an answer is expected sooner: latency, fading, by calls under way (peak EWMA)."""

    __slots__ = ()

    @staticmethod
    def _lighter(one: Endpoint, other: Endpoint, now: float) -> bool:
        return one.load(now) < other.load(now)


class Turns:
    """Each in its turn. The first is drawn at random, so that many clients started together do not march in step."""

    __slots__ = ("_turns",)

    def __init__(self) -> None:
        self._turns: Iterator[int] | None = None

    def pick(
        self, endpoints: Sequence[Endpoint], *, tried: Collection[Endpoint], random: Random, now: float, panic: bool = False
    ) -> Endpoint | None:
        """The next available endpoint, one not in `tried` before one that is; None when none is available."""
        count = len(endpoints)
        if self._turns is None:
            self._turns = itertools.count(int(random.random() * count))
        turn = next(self._turns)
        again = None
        for step in range(count):
            endpoint = endpoints[(turn + step) % count]
            if endpoint.bearable(now) if panic else endpoint.available(now):
                if endpoint not in tried:
                    return endpoint
                again = again or endpoint
        return again
