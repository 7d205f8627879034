"""Rounds and figures: every side of a table is run in every round, in an order that turns, and compared within the round.

A round has several passes over all sides (A B C, C B A, ...), and a side's figure in it is the median of its passes: what
disturbs one pass on a shared machine disturbs no figure. A ratio or a difference is taken between two figures of one round, never
between medians of different moments. The number of operations in a pass is fixed before the first round.
"""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .table import Side, Table, Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How long to measure.

    Attributes:
        rounds: How many figures each side gets.
        passes: Of how many passes each figure is the median.
        seconds: How long one pass over one side should take.
    """

    rounds: int
    passes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and what it lies between."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of a figure over the rounds."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(slots=True)
class Measured:
    """The figures of a table: microseconds for each operation, by side and then by round."""

    table: Table
    wall: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def told(self) -> dict[str, list[float]]:
        """The figures on the table's clock."""
        return self.cpu if self.table.clock == "cpu" else self.wall

    def time(self, side: str) -> Spread:
        """Microseconds for each operation."""
        return Spread.of(self.told[side])

    def over(self, side: str) -> Spread:
        """Microseconds more than the reference, in the same round."""
        return Spread.of(self._added(side))

    def ratio(self, side: str) -> Spread:
        """Times the reference, in the same round."""
        return self._quotient(side, self.table.reference)

    def figure(self, target: Target) -> Spread:
        """What a target speaks of."""
        if target.kind == "time":
            return self.time(target.side)
        if target.kind == "over":
            return self.over(target.side)
        if target.kind == "ratio":
            return self.ratio(target.side)
        if target.kind == "beside":
            return self._quotient(target.side, target.against)
        pairs = zip(self._added(target.against), self._added(target.side), strict=True)
        return Spread.of([theirs / max(ours, 0.01) for theirs, ours in pairs])

    def _quotient(self, side: str, other: str) -> Spread:
        return Spread.of([one / two for one, two in zip(self.told[side], self.told[other], strict=True)])

    def _added(self, side: str) -> list[float]:
        return [one - other for one, other in zip(self.told[side], self.told[self.table.reference], strict=True)]


def calls(call: Callable[[], object]) -> Callable[[int], object]:
    """What makes a call so many times."""

    def run(count: int) -> None:
        for _ in repeat(None, count):
            call()

    return run


def measure(table: Table, pace: Pace, progress: Callable[[str], None] = lambda _: None) -> Measured:
    """Run a table."""
    measured = Measured(table)
    for side in table.sides:
        progress(f"{table.key}: warming up {side.name}")
        measured.counts[side.name] = _count(side, pace.seconds)
        measured.wall[side.name], measured.cpu[side.name] = [], []
    gc.collect()
    gc.freeze()  # what was set up is no garbage: a collection looks at what the sides leave behind
    try:
        for number in range(pace.rounds):
            progress(f"{table.key}: round {number + 1} of {pace.rounds}")
            _round(measured, pace.passes)
    finally:
        gc.unfreeze()
    return measured


def _round(measured: Measured, passes: int) -> None:
    sides = list(measured.table.sides)
    samples: dict[str, list[tuple[float, float]]] = {side.name: [] for side in sides}
    gc.collect()
    for number in range(passes):
        for side in sides:
            count = measured.counts[side.name]
            wall, cpu = _sample(side, count)
            samples[side.name].append((wall / count * 1e6, cpu / count * 1e6))
        # Forwards and backwards, and from another side each time, so that nobody always follows the same neighbour.
        sides = sides[::-1] if number % 2 else [*sides[1:], sides[0]]
    for name, taken in samples.items():
        measured.wall[name].append(statistics.median(wall for wall, _ in taken))
        measured.cpu[name].append(statistics.median(cpu for _, cpu in taken))


def _count(side: Side, seconds: float) -> int:
    """How often to run a side for one pass to take that long; warms it up on the way."""
    side.run(1)  # threads started, modules loaded: a first operation that takes milliseconds says nothing of the others
    count, took = 1, 0.0
    while took < seconds / 4:
        took = min(_sample(side, count)[0] for _ in range(3))  # or one interruption would leave too few operations
        if took < seconds / 4:
            count = max(count * 2, min(count * 50, int(count * seconds / 3 / max(took, 1e-9))))
    return max(1, int(count * seconds / took))


def _sample(side: Side, count: int) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    side.run(count)
    return time.perf_counter() - wall, time.process_time() - cpu
