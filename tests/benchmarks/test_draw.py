"""Charts: whole SVG, every line in its frame, colours that the page gives."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Literal

import pytest

from benchmarks.draw import Chart
from benchmarks.plots import charts

_SVG = "{http://www.w3.org/2000/svg}"
_ROOT = Path(__file__).parents[2]


def _points(svg: str) -> list[list[tuple[float, float]]]:
    lines = ET.fromstring(svg).findall(f"{_SVG}polyline")
    return [[tuple(map(float, each.split(","))) for each in line.attrib["points"].split()] for line in lines]  # type: ignore[misc]


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_lines_stay_in_the_picture_and_keep_their_order(scale: Literal["linear", "log"]) -> None:
    rising = {"a": [(1.0, 0.5), (10.0, 7.0), (1000.0, 93.0)], "b <&>": [(1.0, 1.0), (1000.0, 1.0)]}
    svg = Chart(title="T", lines=rising, across="things", up="us", scale=scale).svg()

    first, flat = _points(svg)
    assert [x for x, _ in first] == sorted(x for x, _ in first)
    assert [y for _, y in first] == sorted((y for _, y in first), reverse=True)
    assert flat[0][1] == flat[1][1]
    assert all(0 <= x <= 760 and 0 <= y <= 320 for line in (first, flat) for x, y in line)


def test_a_logarithmic_axis_gives_each_magnitude_the_same_room() -> None:
    chart = Chart(title="T", lines={"a": [(1.0, 1.0), (10.0, 1.0), (100.0, 1.0)]}, across="n", up="us", scale="log")
    ((one, _), (ten, _), (hundred, _)) = _points(chart.svg())[0]

    assert ten - one == pytest.approx(hundred - ten, abs=0.11)


def test_words_and_axes_take_the_colours_of_the_page() -> None:
    root = ET.fromstring(Chart(title="T", lines={"a": [(0.0, 1.0), (2.0, 2.0)]}, across="s", up="MB").svg())

    assert root.attrib["class"] == "flow chart"
    assert not any("fill" in text.attrib or "style" in text.attrib for text in root.iter(f"{_SVG}text"))


def test_stored_charts_are_whole() -> None:
    static = _ROOT / "docs" / "_static"
    stored = [path for kind in ("growth", "load") for path in static.glob(f"{kind}-*.svg")]

    assert stored
    assert all(_points(path.read_text(encoding="utf-8")) for path in stored)


def test_tables_that_share_a_chart_are_its_lines() -> None:
    told = {"tables": [_growth("rules", 2.0), _growth("paths", 3.0), {"growth": None}]}

    assert list(charts(told)) == ["growth-gate.svg"]
    assert len(_points(charts(told)["growth-gate.svg"])) == 2


def _growth(things: str, last: float) -> dict[str, Any]:
    sides = [{"name": name, "time": {"median": time}} for name, time in (("1", 1.0), ("10", last))]
    return {"sides": sides, "growth": {"chart": "gate", "things": things, "lines": {things: [[1, "1"], [10, "10"]]}}}


@pytest.mark.parametrize("name", ["results.json", "load.json"])
def test_what_misses_its_target_says_why(name: str) -> None:
    path = _ROOT / "benchmarks" / name
    if not path.is_file():
        pytest.skip(f"{name} is not made yet")
    told = json.loads(path.read_text(encoding="utf-8"))
    tables = [*told.get("tables", []), *told.get("counted", []), *told.get("scenarios", []), *filter(None, [told.get("memory")])]
    missed = [(table["title"], target) for table in tables for target in table["targets"] if not target["met"]]

    assert [f"{title}: {target['what']}" for title, target in missed if not target.get("why")] == []
