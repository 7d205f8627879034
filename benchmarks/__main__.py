"""`python -m benchmarks`: measure, print the tables, and write them as results.md and results.json."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from .machine import machine, versions
from .measure import Measured, Pace, measure
from .plots import draw
from .progress import progress_to
from .report import document, markdown
from .rows import first_token, gate_asgi, gate_peers, gate_wsgi, growth, negotiation, outbound, work
from .table import Counted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

_HERE = Path(__file__).parent
_STATIC = _HERE.parent / "docs" / "_static"
_FULL = Pace(rounds=11, passes=15, seconds=0.01)
_QUICK = Pace(rounds=5, passes=7, seconds=0.005)
#: The modules whose tables belong to a subject, by its name.
SUBJECTS = {
    "gate-wsgi": gate_wsgi,
    "gate-asgi": gate_asgi,
    "peers": gate_peers,
    "versions": negotiation,
    "tokens": first_token,
    "outbound": outbound,
    "growth": growth,
    "work": work,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; 0 when it is done, whatever the figures say."""
    asked = _parser().parse_args(arguments)
    pace = _QUICK if asked.quick else _FULL
    pace = Pace(rounds=asked.rounds or pace.rounds, passes=asked.passes or pace.passes, seconds=asked.seconds or pace.seconds)
    found = machine()
    results, counted = run(asked.only or tuple(SUBJECTS), pace, progress_to(sys.stderr))
    told = document(results, pace, found, versions(), counted)
    text = markdown(told)
    asked.output.mkdir(parents=True, exist_ok=True)
    (asked.output / "results.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    (asked.output / "results.md").write_text(text, encoding="utf-8")
    draw(told, asked.plots or (_STATIC if asked.output == _HERE else asked.output))
    print(text)
    return 0


def run(subjects: Collection[str], pace: Pace, progress: Callable[[str], None]) -> tuple[list[Measured], list[Counted]]:
    """Measure the tables of these subjects, one after the other; what they counted comes as it is."""
    results, counted = [], []
    for name in subjects:
        with ExitStack() as stack:
            progress(f"{name}: setting up")
            for table in SUBJECTS[name].tables(stack):
                if isinstance(table, Counted):
                    counted.append(table)
                else:
                    results.append(measure(table, pace, progress))
    progress("done")
    return results, counted


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="interservice side by side with its peers")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: under two minutes")
    parser.add_argument("--only", action="append", choices=tuple(SUBJECTS), help="one subject; may be given more than once")
    parser.add_argument("--output", type=Path, default=_HERE, metavar="DIR", help="where results.md and results.json are written")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="where charts are written; by default beside the other results")
    parser.add_argument("--rounds", type=int, metavar="N", help="figures for each side")
    parser.add_argument("--passes", type=int, metavar="N", help="passes for each figure")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of one pass over one side")
    return parser


if __name__ == "__main__":
    sys.exit(main())
