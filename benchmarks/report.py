"""The figures as JSON, for machines and later comparison, and as Markdown, for the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .measure import Spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .measure import Measured, Pace, Target

_KINDS = {
    "time": "{side}",
    "over": "{side}, over {reference}",
    "ratio": "{side}, beside {reference}",
    "beside": "{side}, beside {against}",
    "cheaper": "{side}: cheaper than {against} by",
}


def document(results: Sequence[Measured], pace: Pace, machine: Mapping[str, str], versions: Mapping[str, str]) -> dict[str, Any]:
    """Everything, as plain data. Times are microseconds for one operation; figures by round are under `rounds`."""
    return {
        "machine": dict(machine),
        "versions": dict(versions),
        "pace": {"rounds": pace.rounds, "passes": pace.passes, "seconds": pace.seconds},
        "tables": [_table(measured) for measured in results],
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
    }


def _target(measured: Measured, target: Target) -> dict[str, Any]:
    figure = measured.figure(target)
    met = figure.median >= target.limit if target.kind == "cheaper" else figure.median <= target.limit
    what = _KINDS[target.kind].format(side=target.side, against=target.against, reference=measured.table.reference)
    return {"what": what, "kind": target.kind, "limit": target.limit, "figure": _spread(figure), "met": met}


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
    parts = [
        measured,
        "With " + ", ".join(f"{name} {version}" for name, version in told["versions"].items()) + ".",
        "## Targets",
        _targets(told["tables"]),
    ]
    for table in told["tables"]:
        parts += [f"## {table['title']}", table["text"], _rows(table)]
        if table["missing"]:
            parts.append("Not installed: " + ", ".join(table["missing"]) + ".")
    return "\n\n".join(parts) + "\n"


def _targets(tables: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| what | target | measured | min to max | |", "|--|--:|--:|--:|--|"]
    for table in tables:
        for target in table["targets"]:
            unit = " us" if target["kind"] in {"time", "over"} else " x"
            bound = "at least" if target["kind"] == "cheaper" else "at most"
            figure = target["figure"]
            lines.append(
                f"| {table['title']}: {target['what']} | {bound} {target['limit']:g}{unit} | {_number(figure['median'])}{unit} | "
                f"{_range(figure)} | {'met' if target['met'] else '**missed**'} |"
            )
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
            else (_number(over["median"]), f"{_number(ratio['median'])} x", _range(ratio))
        )
        processor = f" {_number(side['cpu']['median'])} |" if on_wall else ""
        lines.append(f"| {side['name']} | {_number(time['median'])} | {_range(time)} | {' | '.join(compared)} |{processor}")
    return "\n".join(lines)


def _range(spread: Mapping[str, float]) -> str:
    return f"{_number(spread['min'])} to {_number(spread['max'])}"


def _number(value: float) -> str:
    """Three significant digits, more or less."""
    size = abs(value)
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"  # noqa: PLR2004
