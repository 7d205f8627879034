"""The benchmarks run and tell what they should; how fast anything is, is no test's business."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.__main__ import SUBJECTS, main
from benchmarks.measure import Measured, Pace, measure
from benchmarks.report import document, markdown
from benchmarks.table import Bound, Counted, Side, Table, Target

if TYPE_CHECKING:
    from pathlib import Path

_TINY = ["--quick", "--rounds=2", "--passes=1", "--seconds=0.0005"]


def _run(output: Path, *subjects: str) -> dict[str, Any]:
    chosen = [f"--only={subject}" for subject in subjects]
    assert main([*_TINY, *chosen, f"--output={output}"]) == 0
    told: dict[str, Any] = json.loads((output / "results.json").read_text(encoding="utf-8"))
    return told


@pytest.mark.timeout(180)
@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.filterwarnings("ignore")  # peers' own
def test_each_subject_gives_whole_tables(subject: str, tmp_path: Path) -> None:
    told = _run(tmp_path, subject)

    assert told["tables"] or told["counted"]
    assert told["machine"]["processor"]
    assert told["pace"] == {"rounds": 2, "passes": 1, "seconds": 0.0005}
    for table in told["tables"]:
        names = [side["name"] for side in table["sides"]]
        assert table["reference"] in names
        assert len(names) == len(set(names)) >= 2
        for side in table["sides"]:
            assert len(side["rounds"]["wall"]) == len(side["rounds"]["cpu"]) == 2
            assert side["time"]["min"] <= side["time"]["median"] <= side["time"]["max"]
            assert side["operations"] >= 1
    for table in told["counted"]:
        assert table["rows"]
        assert all(len(row["figures"]) == len(table["head"]) - 1 for row in table["rows"])
    for target in (target for table in [*told["tables"], *told["counted"]] for target in table["targets"]):
        assert math.isfinite(target["figure"]["median"])
        assert isinstance(target["met"], bool)
    for name in ("gate", "tokens", "endpoints", "threads") if subject == "growth" else ():
        assert (tmp_path / f"growth-{name}.svg").is_file()


@pytest.mark.filterwarnings("ignore")
def test_markdown_has_every_side_and_every_target(tmp_path: Path) -> None:
    told = _run(tmp_path, "gate-wsgi")

    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    for table in told["tables"]:
        assert f"## {table['title']}" in text
        for side in table["sides"]:
            assert f"| {side['name']} |" in text
        for target in table["targets"]:
            assert target["what"] in text


def _table(*targets: Target) -> Table:
    sides = [Side(name, lambda _: None) for name in ("bare", "ours", "theirs")]
    return Table(key="k", title="T", text="t", sides=sides, reference="bare", clock="wall", targets=targets)


def _measured(*targets: Target) -> Measured:
    wall = {"bare": [1.0, 2.0, 1.0], "ours": [3.0, 4.0, 3.0], "theirs": [9.0, 10.0, 9.0]}
    return Measured(_table(*targets), wall=wall, cpu=wall, counts=dict.fromkeys(wall, 1))


def test_ratios_are_taken_within_a_round() -> None:
    ratio = _measured().ratio("ours")

    assert (ratio.median, ratio.least, ratio.most) == (3.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("target", "figure", "met"),
    [
        (Target("ours", "time", 3.0), 3.0, True),
        (Target("ours", "over", 1.9), 2.0, False),
        (Target("ours", "ratio", 3.0), 3.0, True),
        (Target("ours", "beside", 0.3, against="theirs"), 1 / 3, False),
        (Target("ours", "cheaper", 4.0, against="theirs"), 4.0, True),
        (Target("ours", "cheaper", 4.1, against="theirs"), 4.0, False),
    ],
)
def test_targets_are_judged_by_their_kind(target: Target, figure: float, met: bool) -> None:
    told = document([_measured(target)], Pace(rounds=3, passes=1, seconds=0.01), _MACHINE, {})

    (judged,) = told["tables"][0]["targets"]
    assert judged["figure"]["median"] == pytest.approx(figure, abs=1e-3)
    assert judged["met"] is met
    assert ("**missed**" in markdown(told)) is not met


def test_every_side_runs_in_every_round_and_takes_turns_at_being_first() -> None:
    ran: list[str] = []

    def side(name: str) -> Side:
        def run(count: int) -> None:
            ran.append(name)
            sum(range(2000 * count))

        return Side(name, run)

    table = Table(key="k", title="T", text="t", sides=[side("a"), side("b")], reference="a", clock="wall")
    measured = measure(table, Pace(rounds=2, passes=2, seconds=0.0001))

    passes = [tuple(ran[-8:][start : start + 2]) for start in range(0, 8, 2)]
    assert {frozenset(each) for each in passes} == {frozenset({"a", "b"})}
    assert len(set(passes)) == 2
    assert all(len(figures) == 2 for figures in measured.wall.values())


_MACHINE = {"processor": "p", "cores": "2", "system": "s", "python": "3", "date": "2026-11-25", "load": "0.0"}


def test_a_missed_target_says_by_how_much_and_why() -> None:
    target = Target("ours", "time", 2.0, why="It does more.")
    text = markdown(document([_measured(target)], Pace(rounds=3, passes=1, seconds=0.01), _MACHINE, {}))

    assert "- T: ours is 50 % above the target. It does more." in text


def test_counted_figures_have_a_table_and_targets() -> None:
    counted = Counted(
        key="c",
        title="Counts",
        text="t",
        head=("", "one", "times"),
        rows=[("a", [1234, 1.5])],
        targets=[Bound("a", "times", 1.05, "x", "Why not.")],
    )
    told = document([], Pace(rounds=3, passes=1, seconds=0.01), _MACHINE, {}, [counted])
    text = markdown(told)

    assert "| a | 1,234 | 1.50 |" in text
    assert told["counted"][0]["targets"][0]["met"] is False
    assert "is 43 % above the target. Why not." in text
