"""What is compared with what: sides, what they should come to, and the tables they are in. Nothing here measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Which clock a table is about: the processor time of this process, all its threads included, or time on the wall.
ClockName = Literal["cpu", "wall"]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the things compared.

    Attributes:
        name: What the table calls it.
        run: Does it that many times.
        note: How it is set up, where the name does not say.
    """

    name: str
    run: Callable[[int], object]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What a side should come to.

    Attributes:
        side: Its name.
        kind: `time`: microseconds. `over`: microseconds more than the reference. `ratio`: times the reference. `beside`: times
            what `against` takes. `cheaper`: how many times as much `against` adds to the reference as the side does.
        limit: The figure that is aimed at; for `cheaper` the least, for all others the most.
        against: The name of the other side, for `beside` and `cheaper`.
        why: Where the rest goes, said where the target is missed.
    """

    side: str
    kind: Literal["time", "over", "ratio", "beside", "cheaper"]
    limit: float
    against: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Sides to be measured together.

    Attributes:
        key: A short name, for the command line and JSON.
        title: A heading.
        text: What is compared, and how it is set up.
        sides: What is compared.
        reference: The name of the side that the others are compared with.
        clock: Which time is told.
        targets: What is aimed at.
        missing: Peers that are not installed.
        growth: Where the sides are sizes of one thing: lines to be drawn.
    """

    key: str
    title: str
    text: str
    sides: Sequence[Side]
    reference: str
    clock: ClockName
    targets: Sequence[Target] = ()
    missing: Sequence[str] = ()
    growth: Growth | None = None


@dataclass(frozen=True, slots=True)
class Growth:
    """Sides as points of lines.

    Attributes:
        chart: The name of the chart that the lines are drawn in.
        things: What there is more and more of.
        lines: The names of sides with their sizes, by the name of the line.
    """

    chart: str
    things: str
    lines: Mapping[str, Sequence[tuple[int, str]]]


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A table of what was counted rather than timed.

    Attributes:
        key: A short name, for JSON.
        title: A heading.
        text: What was counted, and how.
        head: The headings of the columns; the first is what a row is about.
        rows: A name and its figures each.
        missing: Peers that are not installed.
        targets: What is aimed at.
    """

    key: str
    title: str
    text: str
    head: Sequence[str]
    rows: Sequence[tuple[str, Sequence[float]]]
    missing: Sequence[str] = ()
    targets: Sequence[Bound] = ()


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that a figure of a counted table should be.

    Attributes:
        row: The name of its row.
        column: The heading of its column.
        limit: The most.
        unit: What it is told in.
        why: As of `Target`.
    """

    row: str
    column: str
    limit: float
    unit: str
    why: str = ""
