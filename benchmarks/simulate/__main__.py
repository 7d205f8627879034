"""`python -m benchmarks.simulate`: run the scenarios, print their tables, and draw their lines into docs/_static."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .draw import chart
from .scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .scenarios import Scenario

_STATIC = Path(__file__).parents[2] / "docs" / "_static"


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate what was asked for; 0 when it is done."""
    asked = _parser().parse_args(arguments)
    for name in asked.only or SCENARIOS:
        scenario = SCENARIOS[name](asked.scale)
        print(table(scenario), flush=True)
        if scenario.lines and asked.plots is not None:
            asked.plots.mkdir(parents=True, exist_ok=True)
            (asked.plots / f"simulated-{name}.svg").write_text(chart(scenario.title, scenario.lines), encoding="utf-8")
    return 0


def table(scenario: Scenario) -> str:
    """As Markdown."""
    rows = [scenario.head, ["--"] * len(scenario.head), *scenario.rows]
    return "\n".join([f"### {scenario.title}", "", *(f"| {' | '.join(row)} |" for row in rows), ""])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulate", description="the real flow on a simulated clock")
    parser.add_argument("--only", action="append", choices=tuple(SCENARIOS), help="one scenario; may be given more than once")
    parser.add_argument("--scale", type=float, default=1.0, metavar="S", help="share of 2000 clients and 200 instances")
    parser.add_argument("--plots", type=Path, default=_STATIC, metavar="DIR", help="where charts are written")
    return parser


if __name__ == "__main__":
    sys.exit(main())
