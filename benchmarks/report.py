"""The figures as JSON, for machines and later comparison, and as Markdown, for the documentation."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from . import judged
from .measure import Spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .measure import Measured, Pace
    from .table import Counted, Target

_KINDS = {
    "time": "{side}",
    "over": "{side}, over {reference}",
    "ratio": "{side}, beside {reference}",
    "beside": "{side}, beside {against}",
    "cheaper": "{side}: cheaper than {against} by",
}


def document(
    results: Sequence[Measured],
    pace: Pace,
    machine: Mapping[str, str],
    versions: Mapping[str, str],
    counted: Sequence[Counted] = (),
) -> dict[str, Any]:
    """Everything, as plain data. Times are microseconds for one operation; figures by round are under `rounds`."""
    return {
        "machine": dict(machine),
        "versions": dict(versions),
        "pace": {"rounds": pace.rounds, "passes": pace.passes, "seconds": pace.seconds},
        "tables": [_table(measured) for measured in results],
        "counted": [_counted(table) for table in counted],
    }


def _table(measured: Measured) -> dict[str, Any]:
    table = measured.table
    return {
        "key": table.key,
        "title": table.title,
        "text": table.text,
        "clock": table.clock,
        "reference": table.reference,
        "missing": list(table.missing),
        "sides": [
            {
                "name": side.name,
                "time": _spread(measured.time(side.name)),
                "over": _spread(measured.over(side.name)),
                "ratio": _spread(measured.ratio(side.name)),
                "cpu": _spread(Spread.of(measured.cpu[side.name])),
                "operations": measured.counts[side.name],
                "rounds": {"wall": _rounded(measured.wall[side.name]), "cpu": _rounded(measured.cpu[side.name])},
            }
            for side in table.sides
        ],
        "targets": [_target(measured, target) for target in table.targets],
        "growth": None if table.growth is None else asdict(table.growth),
    }


def _counted(table: Counted) -> dict[str, Any]:
    rows = dict(table.rows)
    targets = []
    for bound in table.targets:
        figure = rows[bound.row][table.head.index(bound.column) - 1]
        targets.append(
            {
                "what": f"{bound.row}, {bound.column}",
                "unit": bound.unit,
                "at_least": False,
                "limit": bound.limit,
                "figure": {"median": figure, "min": figure, "max": figure},
                "met": figure <= bound.limit,
                "why": bound.why,
            }
        )
    return {
        "key": table.key,
        "title": table.title,
        "text": table.text,
        "head": list(table.head),
        "rows": [{"name": name, "figures": list(figures)} for name, figures in table.rows],
        "missing": list(table.missing),
        "targets": targets,
    }


def _target(measured: Measured, target: Target) -> dict[str, Any]:
    figure = measured.figure(target)
    least = target.kind == "cheaper"
    return {
        "what": _KINDS[target.kind].format(side=target.side, against=target.against, reference=measured.table.reference),
        "kind": target.kind,
        "unit": "us" if target.kind in {"time", "over"} else "x",
        "at_least": least,
        "limit": target.limit,
        "figure": _spread(figure),
        "met": figure.median >= target.limit if least else figure.median <= target.limit,
        "why": target.why,
    }


def _spread(spread: Spread) -> dict[str, float]:
    return {"median": round(spread.median, 4), "min": round(spread.least, 4), "max": round(spread.most, 4)}


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(value, 3) for value in values]


def markdown(told: Mapping[str, Any]) -> str:
    """A document as Markdown."""
    machine, pace = told["machine"], told["pace"]
    measured = (
        f"Measured on {machine['date']} on {machine['cores']} cores of {machine['processor']}, {machine['system']}, "
        f"{machine['python']}; load of the machine at the start {machine['load']}. {pace['rounds']} rounds, each the median of "
        f"{pace['passes']} interleaved passes of {pace['seconds'] * 1000:g} ms for each side."
    )
    every = [*told["tables"], *told["counted"]]
    titled = [(table["title"], target) for table in every for target in table["targets"]]
    parts = [
        measured,
        "With " + ", ".join(f"{name} {version}" for name, version in told["versions"].items()) + ".",
        "## Targets",
        "\n".join([*judged.HEAD, *(judged.row(*each) for each in titled)]),
        *judged.missed(titled),
    ]
    for table in every:
        parts += [f"## {table['title']}", table["text"], _rows(table) if "sides" in table else _figures(table)]
        if table["missing"]:
            parts.append("Not installed: " + ", ".join(table["missing"]) + ".")
    return "\n\n".join(parts) + "\n"


def _figures(table: Mapping[str, Any]) -> str:
    lines = ["| " + " | ".join(table["head"]) + " |", "|--|" + "--:|" * (len(table["head"]) - 1)]
    for row in table["rows"]:
        cells = (f"{figure:,}" if isinstance(figure, int) else judged.number(figure) for figure in row["figures"])
        lines.append(f"| {row['name']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _rows(table: Mapping[str, Any]) -> str:
    on_wall = table["clock"] == "wall"
    reference = table["reference"]
    clock, more, rule = ("time", " us of processor |", "--:|") if on_wall else ("processor time", "", "")
    heading = f"| {clock} of one operation | us | min to max | us over {reference} | times {reference} | min to max |"
    lines = [heading + more, f"|--|--:|--:|--:|--:|--:|{rule}"]
    for side in table["sides"]:
        time, over, ratio = side["time"], side["over"], side["ratio"]
        compared = (
            ("", "", "")
            if side["name"] == reference
            else (judged.number(over["median"]), f"{judged.number(ratio['median'])} x", judged.spread(ratio))
        )
        processor = f" {judged.number(side['cpu']['median'])} |" if on_wall else ""
        cells = (side["name"], judged.number(time["median"]), judged.spread(time), *compared)
        lines.append(f"| {' | '.join(cells)} |{processor}")
    return "\n".join(lines)
