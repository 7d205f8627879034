"""Sides that can be had: those whose peers are installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .peers import Missing
from .table import Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    #: A side's name, what makes it, and how it is set up.
    Candidate = tuple[str, Callable[[], Callable[[int], object]], str]


def available(candidates: Iterable[Candidate]) -> tuple[list[Side], list[str]]:
    """The sides that can be made, and the names of those that cannot, with what they lack."""
    sides, missing = [], []
    for name, make, note in candidates:
        try:
            sides.append(Side(name, make(), note))
        except Missing as lack:
            missing.append(f"{name} ({lack})")
    return sides, missing
