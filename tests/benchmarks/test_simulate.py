"""The simulation, small: what retries do to a brown-out and an overload, with a budget and without. It is seeded."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from benchmarks.simulate.__main__ import main
from benchmarks.simulate.scenarios import MODES, Scenario, overload, storm

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def brown_out() -> Scenario:
    return storm(0.05, {name: MODES[name] for name in ("no retries", "3 tries, no budget", "3 tries, budget")})


def column(scenario: Scenario, head: str) -> dict[str, float]:
    """One column by the name of the row; shares as numbers."""
    position = list(scenario.head).index(head)
    values = {row[0]: row[position] for row in scenario.rows}
    return {name: float(text.rstrip("%")) / (100.0 if text.endswith("%") else 1.0) for name, text in values.items()}


def test_a_budget_keeps_a_brown_out_from_being_multiplied(brown_out: Scenario) -> None:
    sent = column(brown_out, "sent per call")
    assert sent["no retries"] == 1.0
    assert sent["3 tries, no budget"] > 1.7
    assert sent["3 tries, budget"] <= 1.2


def test_retries_help_as_far_as_the_budget_goes(brown_out: Scenario) -> None:
    good = column(brown_out, "succeed")
    assert good["no retries"] < 0.52
    assert good["3 tries, budget"] > good["no retries"] + 0.08


def test_without_a_budget_an_overload_outlives_its_cause() -> None:
    after = column(
        overload(0.05, {name: MODES[name] for name in ("3 tries, no budget", "3 tries, budget")}), "succeed 15 to 25 s after it"
    )
    assert after["3 tries, no budget"] < 0.5
    assert after["3 tries, budget"] > 0.95


def test_the_command_prints_tables_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "outage", "--scale", "0.01", "--plots", str(tmp_path)]) == 0
    assert "| everything on |" in capsys.readouterr().out
    drawn = ET.parse(tmp_path / "simulated-outage.svg").getroot()
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == 4
