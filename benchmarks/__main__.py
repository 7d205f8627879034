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
from .report import document, markdown
from .rows import first_token, gate_asgi, gate_peers, gate_wsgi, growth, negotiation, outbound

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

_FULL = Pace(rounds=11, passes=15, seconds=0.01)
_QUICK = Pace(rounds=5, passes=7, seconds=0.005)
_SUBJECTS = {
    "gate-wsgi": gate_wsgi,
    "gate-asgi": gate_asgi,
    "peers": gate_peers,
    "versions": negotiation,
    "tokens": first_token,
    "outbound": outbound,
    "growth": growth,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; 0 when it is done, whatever the figures say."""
    asked = _parser().parse_args(arguments)
    pace = _QUICK if asked.quick else _FULL
    pace = Pace(rounds=asked.rounds or pace.rounds, passes=asked.passes or pace.passes, seconds=asked.seconds or pace.seconds)
    found = machine()
    results = run(asked.only or tuple(_SUBJECTS), pace, _progress if sys.stderr.isatty() else _lines())
    told = document(results, pace, found, versions())
    text = markdown(told)
    asked.output.mkdir(parents=True, exist_ok=True)
    (asked.output / "results.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    (asked.output / "results.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def run(subjects: Collection[str], pace: Pace, progress: Callable[[str], None]) -> list[Measured]:
    """Measure the tables of these subjects, one after the other."""
    results = []
    for name in subjects:
        with ExitStack() as stack:
            progress(f"{name}: setting up")
            results += [measure(table, pace, progress) for table in _SUBJECTS[name].tables(stack)]
    progress("done")
    return results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="interservice side by side with its peers")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: under two minutes")
    parser.add_argument("--only", action="append", choices=tuple(_SUBJECTS), help="one subject; may be given more than once")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent, metavar="DIR", help="where results.md and results.json are written"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="figures for each side")
    parser.add_argument("--passes", type=int, metavar="N", help="passes for each figure")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of one pass over one side")
    return parser


def _progress(text: str) -> None:
    print(f"\r\x1b[K{text}", end="" if text != "done" else "\n", file=sys.stderr, flush=True)


def _lines() -> Callable[[str], None]:
    """Progress where nobody watches: a line for each table and for the end."""
    said: list[str] = []

    def progress(text: str) -> None:
        subject = text.partition(":")[0]
        if not said or said[-1] != subject:
            said.append(subject)
            print(subject, file=sys.stderr, flush=True)

    return progress


if __name__ == "__main__":
    sys.exit(main())
