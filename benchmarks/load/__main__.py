"""`python -m benchmarks.load`: have wrk ask real servers, print what it saw, and write load.md, load.json and a chart."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import machine, versions
from benchmarks.progress import progress_to

from . import memory
from .report import document, markdown
from .scenarios import run, scenarios
from .wrk import NoWrk, found

if TYPE_CHECKING:
    from collections.abc import Sequence

_STATIC = Path(__file__).parents[2] / "docs" / "_static"
_MEMORY = "memory"


def main(arguments: Sequence[str] | None = None) -> int:
    """Load what was asked for; 1 when there were errors or no wrk, 0 otherwise, whatever the figures say."""
    known = scenarios()
    asked = _parser([*known, _MEMORY]).parse_args(arguments)
    if not found():
        print(NoWrk(), file=sys.stderr)
        return 1
    chosen, progress, on = asked.only or [*known, _MEMORY], progress_to(sys.stderr), machine()
    results = [run(known[name], asked.rounds, asked.seconds, progress) for name in chosen if name != _MEMORY]
    watched = memory.watch(asked.requests, progress, asked.tokens) if _MEMORY in chosen else None
    progress("done")
    told = document(results, watched, rounds=asked.rounds, seconds=asked.seconds, machine=on, versions=versions())
    text = markdown(told)
    asked.output.mkdir(parents=True, exist_ok=True)
    (asked.output / "load.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    (asked.output / "load.md").write_text(text, encoding="utf-8")
    if watched is not None:
        asked.plots.mkdir(parents=True, exist_ok=True)
        (asked.plots / "load-memory.svg").write_text(watched.chart(), encoding="utf-8")
    print(text)
    errors = sum(side["errors"] for scenario in told["scenarios"] for side in scenario["sides"])
    return 1 if errors + (watched.errors if watched is not None else 0) else 0


def _parser(subjects: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description="real servers under load")
    parser.add_argument("--only", action="append", choices=subjects, help="one subject; may be given more than once")
    parser.add_argument("--seconds", type=int, default=60, metavar="S", help="length of a round for each application")
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="rounds for each application")
    parser.add_argument("--requests", type=int, default=1_000_000, metavar="N", help="how many the memory is watched for")
    parser.add_argument("--tokens", type=int, default=memory.TOKENS, metavar="N", help="how many those have among them")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1], metavar="DIR", help="for load.md and load.json")
    parser.add_argument("--plots", type=Path, default=_STATIC, metavar="DIR", help="where the chart is written")
    return parser


if __name__ == "__main__":
    sys.exit(main())
