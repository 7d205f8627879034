"""The lines of a scenario, drawn: the share of calls that succeed, by second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.draw import Chart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def chart(title: str, lines: Mapping[str, Sequence[float]]) -> str:
    """Shares from 0 to 1 over seconds, as SVG."""
    points = {name: [(second + 0.5, share * 100) for second, share in enumerate(line)] for name, line in lines.items()}
    whole = f"{title}: share of calls that succeed, by second"
    return Chart(title=whole, lines=points, across="seconds", up="% of calls succeed").svg()
