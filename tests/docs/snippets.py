"""Runs the Python blocks of one page in order, in one namespace: `python snippets.py PAGE`.

Blocks fenced as ```python are what readers see. A comment that begins with `<!-- test` holds code they do not: what the page
takes as given, and checks of what it says. Line numbers in tracebacks are the page's.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = re.compile(r"^```python\n(?P<shown>.*?)^```$|^<!-- test\n(?P<hidden>.*?)^-->$", re.DOTALL | re.MULTILINE)


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """The line at which each block begins, counted from 1, and its code."""
    for match in _BLOCK.finditer(text):
        code = match["shown"] if match["shown"] is not None else match["hidden"]
        yield text.count("\n", 0, match.start()) + 2, code


def run(page: Path) -> int:
    """Execute a page; give the number of blocks."""
    namespace = {"__name__": "__page__"}
    found = list(blocks(page.read_text("utf-8")))
    for line, code in found:
        exec(compile("\n" * (line - 1) + code, str(page), "exec", dont_inherit=True), namespace)
    return len(found)


if __name__ == "__main__":
    print(f"{run(Path(sys.argv[1]))} blocks")  # noqa: T201 - the answer to who called
