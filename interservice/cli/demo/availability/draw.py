"""The plot as SVG that takes its colours from the page it is in: success above, times below, incidents as bands through both."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .incidents import Happened
    from .summary import Figures

_WIDTH, _LEFT, _RIGHT = 900, 62, 60
#: Top and bottom of the two panels; the names of incidents stand above the first.
_SUCCESS, _TIMES, _BOTTOM = (130, 250), (286, 466), 20
_HEIGHT = 506
_GREEN, _BLUE, _RED = "#2b8a3e", "#2563eb", "#d1495b"
_ALL = 100.0
#: Percent at the bottom of the upper panel, unless it got worse, and milliseconds at top and bottom of the lower one.
_LEAST, _FASTEST, _SLOWEST = 90.0, 1.0, 10_000.0
_TICKS = 10


def plot(title: str, series: Sequence[Figures], happened: Sequence[Happened]) -> str:
    """One point for each second."""
    seconds = max(1, len(series))
    least = min([_LEAST, *(math.floor(each.share / 10.0) * 10.0 for each in series)])
    parts = [
        f'<svg class="flow chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"  <title>{escape(title)}</title>",
        *_bands(happened, seconds),
        *_success_axis(least),
        *_times_axis(),
        *_moments(seconds),
        _line([(second, _of_success(each.share, least)) for second, each in enumerate(series)], seconds, _GREEN),
        _line([(second, _of_times(each.p50)) for second, each in enumerate(series)], seconds, _BLUE),
        _line([(second, _of_times(each.p99)) for second, each in enumerate(series)], seconds, _RED),
        *_key(),
    ]
    return "\n".join([*parts, "</svg>", ""])


def _bands(happened: Sequence[Happened], seconds: int) -> Iterator[str]:
    for one in happened:
        left, right = _x(one.begin, seconds), _x(one.end, seconds)
        top, bottom = _SUCCESS[0], _TIMES[1]
        width = max(right - left, 1.5)
        style = f"fill:{_RED};fill-opacity:0.12;stroke:none"
        yield f'  <rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{bottom - top}" style="{style}"/>'
        turned = f"translate({left + 4:.1f} {top - 8}) rotate(-35)"
        yield f'  <text class="note" transform="{turned}">{escape(one.name)}</text>'


def _success_axis(least: float) -> Iterator[str]:
    for share in (least, (least + _ALL) / 2, _ALL):
        yield from _level(_of_success(share, least), f"{share:g} %")


def _times_axis() -> Iterator[str]:
    for milliseconds in (1.0, 10.0, 100.0, 1000.0, 10_000.0):
        text = f"{milliseconds:g} ms" if milliseconds < 1000.0 else f"{milliseconds / 1000:g} s"  # noqa: PLR2004 - a second
        yield from _level(_of_times(milliseconds), text)


def _level(y: float, text: str) -> Iterator[str]:
    yield f'  <path d="M{_LEFT} {y:.1f} H{_WIDTH - _RIGHT}" stroke-opacity="0.25"/>'
    yield f'  <text class="note" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'


def _moments(seconds: int) -> Iterator[str]:
    minutes = seconds >= 2 * 60
    step = 60 if minutes else max(1, seconds // _TICKS)
    for moment in range(0, seconds + 1, step):
        text = f"{moment // 60} min" if minutes else f"{moment} s"
        yield (f'  <text class="note" x="{_x(moment, seconds):.1f}" y="{_TIMES[1] + _BOTTOM}" text-anchor="middle">{text}</text>')


def _line(points: Sequence[tuple[int, float]], seconds: int, colour: str) -> str:
    text = " ".join(f"{_x(second + 0.5, seconds):.1f},{y:.1f}" for second, y in points)
    return f'  <polyline points="{text}" style="fill:none;stroke:{colour};stroke-width:1.5"/>'


def _key() -> Iterator[str]:
    """What the lines are, where the panels are empty: below the successes, above the times."""
    below, above = _SUCCESS[1] - 12, _TIMES[0] + 20
    lines = ((_GREEN, "success", _LEFT, below), (_BLUE, "p50", _LEFT, above), (_RED, "p99", _LEFT + 80, above))
    for colour, text, x, y in lines:
        yield f'  <path d="M{x + 8} {y} H{x + 26}" style="stroke:{colour};stroke-width:3"/>'
        yield f'  <text x="{x + 32}" y="{y + 4}">{text}</text>'


def _x(moment: float, seconds: int) -> float:
    return _LEFT + moment / seconds * (_WIDTH - _LEFT - _RIGHT)


def _of_success(share: float, least: float) -> float:
    top, bottom = _SUCCESS
    return bottom - (share - least) / (_ALL - least) * (bottom - top)


def _of_times(milliseconds: float) -> float:
    top, bottom = _TIMES
    value = min(max(milliseconds, _FASTEST), _SLOWEST)
    return bottom - math.log(value / _FASTEST) / math.log(_SLOWEST / _FASTEST) * (bottom - top)
