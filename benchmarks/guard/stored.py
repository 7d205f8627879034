"""Counts as they were stored, one file for each minor version of Python, and what is too far from them."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .counter import Work

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: How much more than stored is let pass, as a share and at the least; counts of one interpreter hardly differ at all, but other
#: releases of the libraries that are called may.
WIDTH = {"calls": (0.10, 2), "c_calls": (0.10, 2), "instructions": (0.10, 10), "blocks": (0.20, 6)}
#: Where counts are below this share of what is stored, a slip of the whole gain would pass unseen.
STALE = 0.75
_WORDS = {"calls": "Python calls", "c_calls": "C calls", "instructions": "instructions", "blocks": "blocks of memory"}
_PACKAGES = ("requests", "urllib3", "werkzeug", "PyJWT", "cryptography", "msgspec", "statsd")
_FUNCTIONS = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said about one path.

    Attributes:
        path: Its name.
        grown: The counts that grew beyond the width.
        stale: Whether it does so much less that the figures are to be stored anew.
        text: Before and after, and the functions that made the difference.
    """

    path: str
    grown: tuple[str, ...]
    stale: bool
    text: str


def file(folder: Path | None = None) -> Path:
    """Where the counts of this interpreter's minor version are."""
    return (folder or Path(__file__).parent) / f"{sys.version_info[0]}.{sys.version_info[1]}.json"


def read(path: Path) -> dict[str, Work]:
    """The stored counts, by path; empty where none are stored for this minor version."""
    if not path.is_file():
        return {}
    stored: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["paths"]
    return {name: Work(**counts) for name, counts in stored.items()}


def write(path: Path, counted: Mapping[str, Work]) -> None:
    """Store counts, and the releases of the libraries that they were made with."""
    paths = {name: {**work.counts, "functions": dict(sorted(work.functions.items()))} for name, work in counted.items()}
    document = {"packages": packages(), "paths": paths}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def packages() -> dict[str, str]:
    """The releases of the libraries that the hot paths call; "none" where one is not installed."""
    return {name: _release(name) for name in _PACKAGES}


def _release(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def compare(path: str, before: Work, after: Work) -> Finding:
    """What is to be said about a path that was stored as `before` and is now `after`."""
    then, now = before.counts, after.counts
    grown = tuple(name for name, (share, least) in WIDTH.items() if now[name] > then[name] + max(share * then[name], least))
    stale = now["instructions"] < STALE * then["instructions"]
    rows = [f"  {_WORDS[name]:>16}: {then[name]:>6} -> {now[name]:>6}  {_change(then[name], now[name])}" for name in then]
    rows += [f"  {line}" for line in _differences(before, after)]
    return Finding(path, grown, stale, "\n".join([f"{path}:", *rows]))


def advice(finding: Finding, stored: Path) -> str:
    """What to do about a finding."""
    if finding.grown:
        what = ", ".join(_WORDS[name] for name in finding.grown)
        text = f"{finding.path} has more {what} than before. If that is meant, store the new figures: make guard"
    else:
        text = f"{finding.path} does much less than before. Store the new figures, so that the gain is kept: make guard"
    made_with = json.loads(stored.read_text(encoding="utf-8"))["packages"] if stored.is_file() else {}
    others = [f"{name} {made_with[name]} -> {now}" for name, now in packages().items() if made_with.get(name, now) != now]
    return "\n".join([text, *(["Libraries differ: " + ", ".join(others)] if others else []), finding.text])


def _change(before: int, after: int) -> str:
    return "" if before == after or not before else f"{(after / before - 1) * 100:+.1f} %"


def _differences(before: Work, after: Work) -> Iterator[str]:
    """The functions whose instructions changed the most, growth first."""
    names = before.functions.keys() | after.functions.keys()
    changes = {name: after.functions.get(name, 0) - before.functions.get(name, 0) for name in names}
    for name, change in sorted(changes.items(), key=lambda item: (-item[1], item[0]))[:_FUNCTIONS]:
        if change > 0:
            yield f"{change:+6} instructions in {name} ({before.functions.get(name, 0)} -> {after.functions.get(name, 0)})"
