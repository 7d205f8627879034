"""Targets and what came of them: the same lines under every table, and the reason for each that is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HEAD = ["| what | target | measured | min to max | |", "|--|--:|--:|--:|--|"]


def row(title: str, target: Mapping[str, Any]) -> str:
    """A line of the table of targets."""
    unit, figure = f" {target['unit']}", target["figure"]
    bound = "at least" if target["at_least"] else "at most"
    return (
        f"| {title}: {target['what']} | {bound} {target['limit']:,g}{unit} | {number(figure['median'])}{unit} | "
        f"{spread(figure)} | {'met' if target['met'] else '**missed**'} |"
    )


def missed(titled: Iterable[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """What misses its target, by how much and why, as a list with one item for each reason; empty when nothing does."""
    reasons: dict[str, list[str]] = {}
    for title, target in titled:
        if not target["met"]:
            reasons.setdefault(" ".join(target["why"].split()), []).append(f"{title}: {target['what']} is {_off(target)}")
    lines = [f"- {'; '.join(those)}. {why}".rstrip() for why, those in reasons.items()]
    return ["What misses its target, by how much and why:\n\n" + "\n".join(lines)] if lines else []


def _off(target: Mapping[str, Any]) -> str:
    off = abs(target["figure"]["median"] - target["limit"])
    by = f"{off / target['limit'] * 100:.0f} %" if target["limit"] else f"{off:g}"
    return f"{by} {'below' if target['at_least'] else 'above'} the target"


def spread(figure: Mapping[str, float]) -> str:
    """From least to most."""
    return f"{number(figure['min'])} to {number(figure['max'])}"


def number(value: float) -> str:
    """Three significant digits, more or less."""
    if not value:
        return "0"
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"  # noqa: PLR2004
