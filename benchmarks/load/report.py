"""What wrk saw, as JSON and as Markdown."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from benchmarks import judged

from . import memory
from .scenarios import CONNECTIONS
from .why import WHY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .memory import Memory
    from .scenarios import Result, Target

_UNITS = {"rate": "requests/s", "p99": "ms", "errors": "errors"}
_WHAT = {"rate": "requests a second", "p99": "99 of 100 answers within (worst round)", "errors": "errors"}


def document(
    results: Sequence[Result],
    watched: Memory | None,
    *,
    rounds: int,
    seconds: int,
    machine: Mapping[str, str],
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """Everything, as plain data. Times are milliseconds, `cpu` microseconds of processor time for one request."""
    return {
        "machine": dict(machine),
        "versions": dict(versions),
        "rounds": rounds,
        "seconds": seconds,
        "scenarios": [_scenario(result) for result in results],
        "memory": None if watched is None else _memory(watched),
    }


def _scenario(result: Result) -> dict[str, Any]:
    scenario = result.scenario
    return {
        "key": scenario.key,
        "title": scenario.title,
        "text": scenario.text,
        "missing": result.missing,
        "sides": [_side(result, side.name) for side in scenario.sides],
        "targets": [_target(result, target) for target in scenario.targets],
    }


def _side(result: Result, name: str) -> dict[str, Any]:
    rounds = result.rounds[name]
    return {
        "name": name,
        "rate": _spread(result.rates(name)),
        "ratio": _spread(result.ratios(name)),
        "p50": _spread([each.seen.p50 for each in rounds]),
        "p99": _spread([each.seen.p99 for each in rounds]),
        "longest": max(each.seen.longest for each in rounds),
        "requests": sum(each.seen.requests for each in rounds),
        "errors": sum(each.seen.errors for each in rounds),
        "cpu": _spread([each.cpu for each in rounds]),
        "cpu_ratio": _spread(result.ratios(name, cpu=True)),
    }


def _target(result: Result, target: Target) -> dict[str, Any]:
    figure = result.figure(target)
    values = {
        "rate": result.rates(target.side),
        "p99": [each.seen.p99 for each in result.rounds[target.side]],
        "errors": [float(each.seen.errors) for each in result.rounds[target.side]],
    }[target.kind]
    least = target.kind == "rate"
    return {
        "what": f"{target.side}, {_WHAT[target.kind]}",
        "unit": _UNITS[target.kind],
        "at_least": least,
        "limit": target.limit,
        "figure": {"median": round(figure, 3), "min": round(min(values), 3), "max": round(max(values), 3)},
        "met": figure >= target.limit if least else figure <= target.limit,
        "why": WHY.get((result.scenario.key, target.kind), "").format(connections=CONNECTIONS),
    }


def _memory(watched: Memory) -> dict[str, Any]:
    growth = round(watched.growth, 2)
    figures = {"growth": ("MB of growth after the warm-up", growth, memory.LIMIT), "errors": ("errors", watched.errors, 0)}
    return {
        "title": watched.title,
        "text": memory.TEXT.format(tokens=memory.TOKENS, slice=watched.slice, limit=memory.LIMIT),
        "samples": watched.samples,
        "seconds": round(watched.seconds, 1),
        "targets": [
            {
                "what": what,
                "unit": "MB" if kind == "growth" else "errors",
                "at_least": False,
                "limit": limit,
                "figure": {"median": figure, "min": figure, "max": figure},
                "met": figure <= limit,
                "why": WHY.get(("memory", kind), ""),
            }
            for kind, (what, figure, limit) in figures.items()
        ],
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 3), "min": round(min(values), 3), "max": round(max(values), 3)}


def markdown(told: Mapping[str, Any]) -> str:
    """A document as Markdown."""
    machine = told["machine"]
    libraries = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    measured = (
        f"Measured on {machine['date']} on {machine['cores']} cores of {machine['processor']}, {machine['system']}, "
        f"{machine['python']}; load of the machine at the start {machine['load']}. Rounds of {told['seconds']} s for each "
        f"application, {told['rounds']} of them, in turns. With {libraries}."
    )
    titled = [(each["title"], target) for each in _parts(told) for target in each["targets"]]
    judgement = "\n".join([*judged.HEAD, *(judged.row(*each) for each in titled)])
    parts = ["## Under load", measured, judgement, *judged.missed(titled)]
    for scenario in told["scenarios"]:
        parts += [f"### {scenario['title']}", scenario["text"], _rows(scenario["sides"])]
        if scenario["missing"]:
            parts.append("Not installed: " + ", ".join(scenario["missing"]) + ".")
    if told["memory"] is not None:
        parts += [f"### {told['memory']['title']}", told["memory"]["text"], _held(told["memory"])]
    return "\n\n".join(parts) + "\n"


def _parts(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*told["scenarios"], *([] if told["memory"] is None else [told["memory"]])]


def _rows(sides: Sequence[Mapping[str, Any]]) -> str:
    first = sides[0]["name"]
    lines = [
        f"| | requests/s | min to max | times {first} | p50 ms | p99 ms, worst | errors | us of processor each | times {first} |",
        "|--|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for side in sides:
        rate, cpu = side["rate"], side["cpu"]
        times, cpu_times = (
            ("", "")
            if side["name"] == first
            else (f"{judged.number(side['ratio']['median'])} x", f"{judged.number(side['cpu_ratio']['median'])} x")
        )
        lines.append(
            f"| {side['name']} | {judged.number(rate['median'])} | {judged.spread(rate)} | {times} | "
            f"{judged.number(side['p50']['median'])} | {judged.number(side['p99']['max'])} | {side['errors']} | "
            f"{judged.number(cpu['median'])} | {cpu_times} |"
        )
    return "\n".join(lines)


def _held(watched: Mapping[str, Any]) -> str:
    samples: Sequence[Sequence[int]] = watched["samples"]
    shares = (0.0, 0.02, 0.2, 0.4, 0.6, 0.8, 1.0)
    chosen = dict.fromkeys(round(share * (len(samples) - 1)) for share in shares)
    lines = ["| requests | MB held |", "|--:|--:|", *(f"| {samples[at][0]:,} | {samples[at][1] / 1e6:.1f} |" for at in chosen)]
    return "\n".join(lines)
