"""Tables of the documentation that are made from the code's own: a page says `<!-- table: NAME -->` where one belongs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from interservice.telemetry import fields, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MARK = re.compile(r"^<!-- table: ([\w-]+) -->$", re.MULTILINE)
_OF = {
    "head": "Every line",
    "request": "An inbound request",
    "response": "How it ended",
    "trace": "Its place in a trace",
    "identity": "Who asked, and for what",
    "error": "An error",
    "call": "An outbound call",
    "attempt": "An attempt of a call",
    "circuit": "A circuit that changed its state",
    "summary": "The log itself",
    "process": "The process",
}
_KINDS = {"ms": "timing", "c": "counter", "g": "gauge"}


def field_tables() -> str:
    """The fields of log lines, a table for each group."""
    parts = []
    for group, rows in fields.GROUPS.items():
        cells = ((_dotted(row), _code(row.flat), row.meaning) for row in rows)
        parts.append(f"### {_OF.get(group, group.capitalize())}\n\n" + _table(("otel, ecs", "flat", "meaning"), cells))
    return "\n\n".join(parts)


def metric_table() -> str:
    """The metrics, one table."""
    cells = (
        (f"`{row.plain}`<br>{_KINDS[row.kind]}", f"`{row.tagged}`<br>{', '.join(row.labels)}", row.meaning)
        for row in names.METRICS.values()
    )
    return _table(("plain", "with tags", "meaning"), cells)


TABLES: dict[str, Callable[[], str]] = {"fields": field_tables, "metrics": metric_table}


def filled(page: str) -> str:
    """A page with each table in the place of its mark."""
    return _MARK.sub(lambda mark: TABLES[mark[1]](), page)


def _dotted(row: fields.Field) -> str:
    """The names in the presets that have long ones, the second on a line of its own where it differs."""
    if row.otel == row.ecs:
        return _code(row.otel)
    return "<br>".join(filter(None, (_code(row.otel), row.ecs and f"ecs: `{row.ecs}`")))


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(head)
    lines = [columns, ["--"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
