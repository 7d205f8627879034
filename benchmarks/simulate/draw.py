"""A line chart as SVG that takes its colours from the page it is in. No library: four lines need none."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 760, 320, 52, 44, 16, 40
_COLOURS = ("#d1495b", "#b7791f", "#2b8a3e", "#2563eb")


def chart(title: str, lines: Mapping[str, Sequence[float]]) -> str:
    """Shares from 0 to 1 over seconds."""
    seconds = max(len(line) for line in lines.values())
    parts = [
        f'<svg class="flow chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"  <title>{escape(title)}: share of calls that succeed, by second</title>",
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share)
        parts.append(f'  <path d="M{_LEFT} {y:.1f} H{_WIDTH - _RIGHT}" stroke-opacity="0.25"/>')
        parts.append(f'  <text class="note" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    for moment in range(0, seconds + 1, 5):
        x = _x(moment, seconds)
        parts.append(f'  <text class="note" x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">{moment} s</text>')
    for number, (name, line) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(f"{_x(moment + 0.5, seconds):.1f},{_y(share):.1f}" for moment, share in enumerate(line))
        parts.append(f'  <polyline points="{points}" style="fill:none;stroke:{colour};stroke-width:2"/>')
        x = _LEFT + number * 175
        parts.append(f'  <path d="M{x} 20 H{x + 18}" style="stroke:{colour};stroke-width:3"/>')
        parts.append(f'  <text x="{x + 24}" y="24">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _x(moment: float, seconds: int) -> float:
    return _LEFT + moment / seconds * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _TOP + (1.0 - share) * (_HEIGHT - _TOP - _BOTTOM)
