"""What the demo shows: live progress while it runs, a table when it is done. Rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from .phases import Findings

_COLUMNS = ("phase", "calls", "success", "p50", "p99", "retries", "circuits", "refusals", "")
_RIGHT = frozenset({"calls", "success", "p50", "p99", "retries"})
_WIDE = 140


class Report:
    """Prints to standard output.

    Args:
        plain: Plain lines, whatever the output is.
    """

    def __init__(self, *, plain: bool = False) -> None:
        on_terminal = sys.stdout.isatty() and not plain
        self._console = Console(
            force_terminal=on_terminal, no_color=not on_terminal, width=None if on_terminal else _WIDE, highlight=False
        )
        self._on_terminal = on_terminal

    def say(self, line: str) -> None:
        """One line."""
        self._console.print(line, markup=False)

    def during(self, title: str, what: Callable[[], Findings]) -> Findings:
        """Show that a phase runs, and how it went."""
        if self._on_terminal:
            with self._console.status(title):
                findings = what()
        else:
            self.say(f"{title} ...")
            findings = what()
        mark = "ok    " if not findings.faults else "FAILED"
        self.say(f"{mark} {findings.name}: {findings.tally.calls} calls, {findings.tally.share:.2f} % success, {findings.remark}")
        for fault in findings.faults:
            self.say(f"       {fault}")
        return findings

    def table(self, all_findings: list[Findings]) -> None:
        """One row for each phase."""
        table = Table(title="How each phase went", title_justify="left")
        for column in _COLUMNS:
            table.add_column(column, justify="right" if column in _RIGHT else "left")
        for findings in all_findings:
            table.add_row(*_row(findings))
        self._console.print(table)


def _row(findings: Findings) -> tuple[str, ...]:
    tally = findings.tally
    circuits = ", ".join(f"{name}: {' > '.join(states)}" for name, states in findings.circuits.items() if len(states) > 1)
    refusals = ", ".join(f"{code} {count}" for code, count in sorted(tally.codes.items()))
    return (
        findings.name,
        str(tally.calls),
        f"{tally.share:.2f} %",
        f"{tally.quantile(0.5):.1f} ms",
        f"{tally.quantile(0.99):.1f} ms",
        str(findings.retries),
        circuits or "closed",
        refusals or "-",
        "FAILED" if findings.faults else "ok",
    )
