"""Samples of one flush added up: counters summed, timings kept up to a number (beyond it a uniform sample), gauges as last set.

Owned by one thread at a time; nothing here locks, sends or reads a clock.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .dialects import Dialect, Series

#: Lines as a client's pipeline takes them: a name, and what follows its colon in each of the lines, which must share a packet.
Lines: TypeAlias = "tuple[str, Sequence[str]]"


class Timings:
    """A uniform sample of at most `size` values (Vitter's algorithm R)."""

    __slots__ = ("kept", "seen", "size")

    def __init__(self, size: int) -> None:
        self.kept: list[float] = []
        self.seen = 0
        self.size = size

    def extend(self, values: Sequence[float]) -> None:
        """Take values."""
        kept, size = self.kept, self.size
        room = size - len(kept)
        kept.extend(values[:room])
        for number, value in enumerate(values[room:], self.seen + room + 1):
            place = int(random.random() * number)  # noqa: S311 - a sample, not a secret
            if place < size:
                kept[place] = value
        self.seen += len(values)


class Aggregate:
    """What happened since the last flush, by series."""

    def __init__(self, dialect: Dialect, max_samples: int) -> None:
        self._dialect = dialect
        self._max_samples = max_samples
        self._counts: dict[Series, int | float] = {}
        self._timings: dict[Series, Timings] = {}
        self._gauges: dict[Series, float] = {}

    def count(self, series: Series, count: float = 1) -> None:
        """Add to a counter."""
        if math.isfinite(count):
            self._counts[series] = self._counts.get(series, 0) + count

    def time(self, series: Series, seconds: Sequence[float]) -> None:
        """Take timings; what is negative is 0."""
        milliseconds = [max(0.0, value * 1000.0) for value in seconds if math.isfinite(value)]
        if not milliseconds:
            return
        timings = self._timings.get(series)
        if timings is None:
            timings = self._timings[series] = Timings(self._max_samples)
        timings.extend(milliseconds)

    def gauge(self, series: Series, value: float) -> None:
        """Set a gauge; it is sent at every flush from now on."""
        if math.isfinite(value):
            self._gauges[series] = value

    def take(self) -> Iterator[Lines]:
        """The lines of this flush, made as they are asked for; counters and timings start anew at once, gauges stay."""
        counts, self._counts = self._counts, {}
        timings, self._timings = self._timings, {}
        return self._lines(counts, timings, self._gauges.copy())

    def _lines(
        self, counts: dict[Series, int | float], timings: dict[Series, Timings], gauges: dict[Series, float]
    ) -> Iterator[Lines]:
        for (head, tail), count in counts.items():
            told = int(count) if float(count).is_integer() else round(count, 6)
            yield head, (f"{told}|c{tail}",)
        for (head, tail), sample in timings.items():
            rate = len(sample.kept) / sample.seen
            for value in sample.kept:
                yield head, (self._dialect.timing(value, rate) + tail,)
        for (head, tail), value in gauges.items():
            yield head, [told + tail for told in self._dialect.gauge(value)]

    def __bool__(self) -> bool:
        return bool(self._counts or self._timings or self._gauges)
