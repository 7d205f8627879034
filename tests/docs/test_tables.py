"""The tables of fields and metrics in the documentation are the code's own, whole, and where the page wants them."""

from __future__ import annotations

import importlib.util
import re
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from interservice.telemetry import fields, names

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def tables() -> Any:
    spec = importlib.util.spec_from_file_location("docs_tables", DOCS / "tables.py")
    assert spec
    assert spec.loader
    module = sys.modules["docs_tables"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(text: str) -> list[list[str]]:
    """The cells of every row."""
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| `")]


def test_page_has_every_metric_with_its_names_and_meaning(tables: Any) -> None:
    page = tables.filled((DOCS / "telemetry.md").read_text("utf-8"))
    assert "<!-- table:" not in page
    for metric in names.METRICS.values():
        (line,) = [line for line in page.splitlines() if line.startswith(f"| `{metric.plain}`<br>")]
        assert f"`{metric.tagged}`" in line
        assert metric.meaning in line
        assert all(label in line for label in metric.labels)


def test_page_has_every_field_of_every_preset(tables: Any) -> None:
    page = tables.filled((DOCS / "telemetry.md").read_text("utf-8"))
    for preset in fields.PRESETS:
        assert [name for name in sorted(fields.all_names(preset)) if f"`{name}`" not in page] == []
    for group in fields.GROUPS.values():
        for field in group:
            assert field.meaning in page


def test_every_row_has_as_many_cells_as_its_table(tables: Any) -> None:
    assert {len(row) for row in rows(tables.metric_table())} == {3}
    assert {line.replace("\\|", "").count("|") for line in tables.field_tables().splitlines() if line.startswith("|")} == {4}


def test_mark_of_a_table_that_there_is_not_is_an_error(tables: Any) -> None:
    with pytest.raises(KeyError):
        tables.filled("<!-- table: nothing -->")


def test_what_to_watch_are_metrics_that_there_are() -> None:
    page = (DOCS / "operations.md").read_text("utf-8")
    watched = page.partition("## What to watch")[2].partition("##")[0]
    named = [name for line in watched.splitlines() for name in re.findall(r"`([a-z_.*]+)`", line.split(" | ")[0])]
    plain = [re.sub(r"\{\w+\}", "*", metric.plain) for metric in names.METRICS.values()]
    assert len(named) >= 10
    assert [name for name in named if not any(fnmatch(known, f"{name}*") or fnmatch(name, known) for known in plain)] == []
