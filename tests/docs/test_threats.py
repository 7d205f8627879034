"""docs/threats.md says what the tests say: every class of attacks with its reasons, and no test that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from interservice.tokens import Reason
from tests.tokens.attacks import CLASSES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "threats.md").read_text("utf-8")


def table(heading: str) -> list[str]:
    """The rows of the table under a heading, its head left out."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


def test_table_of_attacks_is_that_of_the_tests() -> None:
    order = list(Reason)
    expected = [
        f"| {each.title} | {', '.join(f'`{reason}`' for reason in sorted(each.reasons, key=order.index))} | {len(each.tokens)} |"
        for each in CLASSES
    ]
    assert table("Hostile tokens") == expected


def test_every_other_row_names_a_test_that_is_there() -> None:
    for heading in ("Hostile requests", "Keys", "Calls to other services"):
        rows = table(heading)
        assert rows
        for row in rows:
            named = re.search(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)` \|$", row)
            assert named is not None, row
            assert f"def {named[2]}(" in (ROOT / named[1]).read_text("utf-8"), row
