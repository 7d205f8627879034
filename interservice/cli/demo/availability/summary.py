"""Figures from samples: of the whole run, of each second, and of each incident. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .incidents import Happened
    from .load import Sample

#: What an incident leaves behind: so long after its end a call still counts as its.
_AFTER = 5.0


class Figures(NamedTuple):
    """Of some calls.

    Attributes:
        calls: How many.
        failed: How many failed.
        p50: Milliseconds within which half of all calls were answered, counted from when they were meant to begin.
        p99: The same for 99 of 100.
        worst: The same for all.
    """

    calls: int
    failed: int
    p50: float
    p99: float
    worst: float

    @property
    def share(self) -> float:
        """The share of successes, in percent; of nothing, all."""
        return 100.0 * (self.calls - self.failed) / self.calls if self.calls else 100.0

    def document(self) -> dict[str, float]:
        """As JSON has it."""
        return {**{name: round(value, 1) for name, value in self._asdict().items()}, "success_percent": round(self.share, 4)}


def figures(samples: Iterable[Sample]) -> Figures:
    """The figures of some calls, the failed ones' times included."""
    samples = list(samples)
    times = sorted(1000.0 * sample.seconds for sample in samples)
    failed = sum(sample.outcome.failure is not None for sample in samples)
    return Figures(len(times), failed, quantile(times, 0.5), quantile(times, 0.99), times[-1] if times else 0.0)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed; 0 of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def by_second(samples: Iterable[Sample], seconds: float) -> list[Figures]:
    """The figures of each second, by when calls were meant to begin."""
    buckets: list[list[Sample]] = [[] for _ in range(int(seconds + 0.999))]
    for sample in samples:
        buckets[min(int(sample.at), len(buckets) - 1)].append(sample)
    return [figures(bucket) for bucket in buckets]


def during(samples: Iterable[Sample], incident: Happened) -> Figures:
    """The figures of what was meant to begin while an incident lasted, or in the seconds after it."""
    return figures(sample for sample in samples if incident.begin <= sample.at < incident.end + _AFTER)


def failures(samples: Iterable[Sample]) -> Mapping[str, int]:
    """How often calls failed for each reason."""
    return dict(Counter(sample.outcome.failure for sample in samples if sample.outcome.failure is not None).most_common())


def document(
    samples: Sequence[Sample], happened: Sequence[Happened], *, rate: float, seconds: float, machine: Mapping[str, str]
) -> dict[str, Any]:
    """The whole report as JSON has it."""
    series = by_second(samples, seconds)
    return {
        "machine": dict(machine),
        "rate": rate,
        "seconds": seconds,
        "total": figures(samples).document(),
        "latest_start_ms": round(1000.0 * max((sample.late for sample in samples), default=0.0), 1),
        "failures": dict(failures(samples)),
        "repeated_by_client": sum(sample.outcome.repeats for sample in samples),
        "incidents": [
            {"name": one.name, "begin": round(one.begin, 1), "end": round(one.end, 1), **during(samples, one).document()}
            for one in happened
        ],
        "series": [{"second": second, **each.document()} for second, each in enumerate(series)],
    }
