"""A line chart as SVG that takes its colours from the page it is in, light or dark. No library: a few lines need none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 760, 320, 62, 52, 20, 52
#: Seen well on white and on black.
COLOURS = ("#d1495b", "#b7791f", "#2b8a3e", "#2563eb", "#8b5cf6", "#0e7490")
_TICKS = 5
_PER_ROW = 3


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What is drawn.

    Attributes:
        title: For people who cannot see it.
        lines: Points (x, y) by name.
        across: What x is, below the axis.
        up: What y is, above the axis.
        scale: Whether x is told by its size or by its magnitude.
    """

    title: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    across: str
    up: str
    scale: Literal["linear", "log"] = "linear"

    def svg(self) -> str:
        """The picture."""
        rows = math.ceil(len(self.lines) / _PER_ROW)
        top = _TOP + 20 * (rows - 1)
        frame = _Frame(self, top)
        parts = [
            f'<svg class="flow chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
            f"  <title>{escape(self.title)}</title>",
            *frame.grid(),
        ]
        for number, (name, points) in enumerate(self.lines.items()):
            colour = COLOURS[number % len(COLOURS)]
            parts += _line(name, [(frame.x(x), frame.y(y)) for x, y in points], colour, number, dots=self.scale == "log")
        return "\n".join([*parts, "</svg>", ""])


class _Frame:
    """The axes: where a point is on the picture."""

    def __init__(self, chart: Chart, top: int) -> None:
        points = [point for line in chart.lines.values() for point in line]
        self._chart, self._top = chart, top
        self._step = _round_step(max(y for _, y in points) / _TICKS)
        self._most = self._step * max(1, math.ceil(max(y for _, y in points) / self._step - 1e-9))
        xs = sorted({x for x, _ in points})
        self._least_x, self._most_x = self._measure(xs[0]), self._measure(xs[-1])
        self._marks = xs if chart.scale == "log" else _round_marks(xs[-1])

    def _measure(self, x: float) -> float:
        return math.log10(x) if self._chart.scale == "log" else x

    def x(self, value: float) -> float:
        share = (self._measure(value) - self._least_x) / ((self._most_x - self._least_x) or 1.0)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return self._top + (1.0 - value / self._most) * (_HEIGHT - self._top - _BOTTOM)

    def grid(self) -> list[str]:
        """Lines across with their figures, figures below, and what both are."""
        parts = []
        for number in range(round(self._most / self._step) + 1):
            value = number * self._step
            y = self.y(value)
            parts.append(f'  <path d="M{_LEFT} {y:.1f} H{_WIDTH - _RIGHT}" stroke-opacity="0.25"/>')
            parts.append(f'  <text class="note" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>')
        for mark in self._marks:
            x = self.x(mark)
            if x <= _WIDTH - _RIGHT:
                parts.append(f'  <text class="note" x="{x:.1f}" y="{_HEIGHT - 34}" text-anchor="middle">{_number(mark)}</text>')
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        across, up = escape(self._chart.across), escape(self._chart.up)
        parts.append(f'  <text class="note" x="{middle}" y="{_HEIGHT - 12}" text-anchor="middle">{across}</text>')
        parts.append(f'  <text class="note" x="4" y="{self._top - 12}">{up}</text>')
        return parts


def _line(name: str, points: Sequence[tuple[float, float]], colour: str, number: int, *, dots: bool) -> list[str]:
    row, column = divmod(number, _PER_ROW)
    x, y = _LEFT + column * 230, 16 + 20 * row
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts = [f'  <polyline points="{joined}" style="fill:none;stroke:{colour};stroke-width:2"/>']
    if dots:
        parts += [f'  <circle cx="{x:.1f}" cy="{y:.1f}" r="3" style="fill:{colour}"/>' for x, y in points]
    parts.append(f'  <path d="M{x} {y - 4} H{x + 18}" style="stroke:{colour};stroke-width:3"/>')
    parts.append(f'  <text x="{x + 24}" y="{y}">{escape(name)}</text>')
    return parts


def _round_step(least: float) -> float:
    """1, 2 or 5 times a power of ten, at least so much."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _round_marks(most: float) -> list[float]:
    step = _round_step(most / _TICKS)
    return [number * step for number in range(int(most / step + 1e-9) + 1)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"  # noqa: PLR2004
