"""wrk against real servers for a second: no errors, whole tables. How fast anything is, is no test's business."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.load.__main__ import main
from benchmarks.load.memory import Memory
from benchmarks.load.report import document, markdown
from benchmarks.load.scenarios import Result, Round, Scenario, Side, Target, scenarios
from benchmarks.load.wrk import NoWrk, Seen, found, parsed
from tests.servers.peer import missing

if TYPE_CHECKING:
    from pathlib import Path

_MACHINE = {"processor": "p", "cores": "2", "system": "s", "python": "3", "date": "2026-11-25", "load": "0.0"}


def _load(folder: Path, *arguments: str) -> dict[str, Any]:
    if not found():
        missing("wrk", "make servers, or apt-get install wrk")
    asked = ["--seconds=1", "--rounds=1", f"--output={folder}", f"--plots={folder}", *arguments]
    assert main(asked) == 0, "there were errors"
    told: dict[str, Any] = json.loads((folder / "load.json").read_text(encoding="utf-8"))
    return told


@pytest.mark.timeout(180)
@pytest.mark.parametrize("subject", scenarios())
def test_servers_answer_without_an_error(subject: str, tmp_path: Path) -> None:
    (scenario,) = _load(tmp_path, f"--only={subject}")["scenarios"]

    assert len(scenario["sides"]) >= 2
    for side in scenario["sides"]:
        assert side["requests"] > 0
        assert side["errors"] == 0
        assert side["cpu"]["median"] > 0
    text = (tmp_path / "load.md").read_text(encoding="utf-8")
    assert all(f"| {side['name']} |" in text for side in scenario["sides"])


@pytest.mark.timeout(180)
def test_memory_is_sampled_and_drawn(tmp_path: Path) -> None:
    told = _load(tmp_path, "--only=memory", "--requests=1000", "--tokens=20")["memory"]

    assert told["samples"][-1][0] >= 1000
    assert all(held > 1_000_000 for _, held in told["samples"])
    drawn = ET.parse(tmp_path / "load-memory.svg").getroot()
    (line,) = drawn.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(line.attrib["points"].split()) == len(told["samples"])


def test_without_wrk_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert main(["--only=flask"]) == 1
    assert str(NoWrk()) in capsys.readouterr().err


_SIDES = [Side("bare", "granian-wsgi", "a"), Side("gated", "granian-wsgi", "b")]


def _result(*targets: Target, errors: int = 0) -> Result:
    scenario = Scenario(key="k", title="T", text="t", sides=_SIDES, targets=targets)
    bare = [Round(Seen(1000, 1.0, 1.0, 5.0, 9.0, 0), 40.0), Round(Seen(3000, 1.0, 1.0, 5.0, 9.0, 0), 40.0)]
    gated = [Round(Seen(500, 1.0, 2.0, 8.0, 9.0, errors), 80.0), Round(Seen(1500, 1.0, 2.0, 21.0, 30.0, 0), 60.0)]
    return Result(scenario, {"bare": bare, "gated": gated})


@pytest.mark.parametrize(
    ("target", "errors", "figure", "met"),
    [
        (Target("gated", "rate", 1000), 0, 1000.0, True),
        (Target("gated", "rate", 1001), 0, 1000.0, False),
        (Target("gated", "p99", 20), 0, 21.0, False),
        (Target("gated", "p99", 21), 0, 21.0, True),
        (Target("gated", "errors", 0), 0, 0.0, True),
        (Target("gated", "errors", 0), 1, 1.0, False),
    ],
)
def test_targets_hold_for_the_worst_round(target: Target, errors: int, figure: float, met: bool) -> None:
    told = document([_result(target, errors=errors)], None, rounds=2, seconds=1, machine=_MACHINE, versions={})

    (judged,) = told["scenarios"][0]["targets"]
    assert judged["figure"]["median"] == figure
    assert judged["met"] is met
    assert ("What misses its target" in markdown(told)) is not met


def test_rates_and_processor_time_are_compared_within_a_round() -> None:
    told = document([_result()], None, rounds=2, seconds=1, machine=_MACHINE, versions={})

    gated = told["scenarios"][0]["sides"][1]
    assert gated["ratio"] == {"median": 0.5, "min": 0.5, "max": 0.5}
    assert gated["cpu_ratio"] == {"median": 1.75, "min": 1.5, "max": 2.0}


@pytest.mark.parametrize(("grows", "flat"), [(0, True), (100_000, False)])
def test_memory_that_grows_after_the_warm_up_is_not_flat(grows: int, flat: bool) -> None:
    warm = [(number * 10, 50_000_000 + number * 1_000_000) for number in range(20)]
    later = [(200 + number * 10, 70_000_000 + number * grows) for number in range(80)]
    told = document([], Memory([*warm, *later], 0, 10.0, 1), rounds=1, seconds=1, machine=_MACHINE, versions={})

    growth, errors = told["memory"]["targets"]
    assert growth["met"] is flat
    assert errors["met"]


def test_errors_of_every_kind_are_counted() -> None:
    line = (
        '{"requests": 10, "duration": 2000000, "bytes": 1, "p50": 1000, "p90": 2, "p99": 3000, "max": 4000,'
        ' "status": 1, "connect": 2, "read": 4, "write": 8, "timeout": 16}'
    )
    seen = parsed(f"Running 2s test\n{line}\n")

    assert (seen.errors, seen.rate, seen.p50, seen.p99) == (31, 5.0, 1.0, 3.0)
