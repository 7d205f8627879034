"""The charts of growth: cost against size, from the same figures as the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .draw import Chart

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_TITLES = {
    "gate": "A request to a gate, against rules, versions and paths",
    "tokens": "A token, against kept tokens, issuers and keys",
    "endpoints": "Picking an endpoint and a whole call without its wire, against endpoints",
    "threads": "From one answer to the next, against threads that share a session",
}


def charts(told: Mapping[str, Any]) -> dict[str, str]:
    """SVG by the name of its file, for what a document has of growth."""
    return {f"growth-{name}.svg": _chart(name, tables) for name, tables in _grouped(told["tables"]).items()}


def draw(told: Mapping[str, Any], folder: Path) -> None:
    """Write the charts."""
    for name, svg in charts(told).items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(svg, encoding="utf-8")


def _grouped(tables: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for table in tables:
        if table["growth"] is not None:
            groups.setdefault(table["growth"]["chart"], []).append(table)
    return groups


def _chart(name: str, tables: Iterable[Mapping[str, Any]]) -> str:
    lines = {}
    things = ""
    for table in tables:
        times = {side["name"]: side["time"]["median"] for side in table["sides"]}
        things = things or table["growth"]["things"]
        for line, points in table["growth"]["lines"].items():
            lines[line] = [(float(size), times[side]) for size, side in points]
    across = things if name in {"threads", "endpoints"} else "how many"
    return Chart(title=_TITLES[name], lines=lines, across=across, up="microseconds", scale="log").svg()
