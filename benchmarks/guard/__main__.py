"""`python -m benchmarks.guard`: count the hot paths and compare; with --update, store the counts."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from . import stored
from .counter import Work, count
from .paths import PATHS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Count what was asked for; 1 when a path grew beyond the width and nothing was stored."""
    asked = _parser().parse_args(arguments)
    place = stored.file(asked.folder)
    before = stored.read(place)
    counted = counts(asked.only or tuple(PATHS))
    findings = [stored.compare(name, before.get(name, work), work) for name, work in counted.items()]
    for finding in findings:
        print(finding.text)
    if asked.update:
        kept = {name: work for name, work in before.items() if name in PATHS}
        stored.write(place, {**kept, **counted})
        print(f"stored in {place}")
        return 0
    if not before:
        print(f"nothing is stored for this version of Python: {place}")
    wrong = [finding for finding in findings if finding.grown]
    for finding in wrong:
        print(f"\n{stored.advice(finding, place)}", file=sys.stderr)
    return 1 if wrong else 0


def counts(paths: Collection[str]) -> dict[str, Work]:
    """The work of these paths."""
    counted = {}
    for name in paths:
        with ExitStack() as stack:
            counted[name] = count(PATHS[name](stack))
    return counted


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description="the work of the hot paths, counted")
    parser.add_argument("--update", action="store_true", help="store the counts")
    parser.add_argument("--only", action="append", choices=tuple(PATHS), help="one path; may be given more than once")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where counts are stored")
    return parser


if __name__ == "__main__":
    sys.exit(main())
