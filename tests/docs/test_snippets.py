"""Every snippet of README and docs does what it says. Each page runs in a process of its own, as a reader's would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.snippets import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "deployment").glob("*.md"))]
WITH_CODE = [page for page in PAGES if next(blocks(page.read_text("utf-8")), None)]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_snippets_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    runner = ROOT / "tests" / "docs" / "snippets.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", runner, page],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("blocks")


def test_every_guide_has_code() -> None:
    names = {page.name for page in WITH_CODE}
    assert names >= {"README.md", "index.md", "flask.md", "django.md", "asgi.md", "errors.md"}
    assert names >= {"calls.md", "retries.md", "deadlines.md"}


def test_blocks_are_found_with_their_lines() -> None:
    text = "a\n\n```python\nx = 1\n```\n\n<!-- test\nassert x\n-->\n\n```text\nno\n```\n"
    assert list(blocks(text)) == [(4, "x = 1\n"), (8, "assert x\n")]
