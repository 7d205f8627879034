"""What the demo shows: a table that grows and counts while the phases run on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from .phases import Findings
    from .stack import Balancing

_RIGHT = frozenset({"calls", "success", "p50", "p99", "retries"})
_WIDE = 140


class Report:
    """Prints to standard output, and keeps what it is to put in the table.

    Args:
        plain: Plain lines, whatever the output is.
        balancing: How instances are taken out, for a column's heading and what stands there when none was.
    """

    def __init__(self, balancing: Balancing, *, plain: bool = False) -> None:
        self._balancing = balancing
        self._on_terminal = sys.stdout.isatty() and not plain
        self._console = Console(
            force_terminal=self._on_terminal,
            no_color=not self._on_terminal,
            width=None if self._on_terminal else _WIDE,
            highlight=False,
        )
        self.findings: list[Findings] = []

    def say(self, line: str) -> None:
        """One line."""
        self._console.print(line, markup=False)

    def during(self, title: str, phase: Callable[[], Findings], current: Callable[[], Findings | None]) -> None:
        """Show a phase while it runs, and then how it went.

        Args:
            title: What is done.
            phase: Does it.
            current: What is known so far of the phase under way.
        """
        if self._on_terminal:
            spinner = Spinner("dots", title)

            def picture() -> RenderableType:
                under_way = current()
                return Group(spinner, self.table(self.findings, under_way))

            with Live(get_renderable=picture, console=self._console, refresh_per_second=4, transient=True):
                findings = phase()
        else:
            self.say(f"{title} ...")
            findings = phase()
        self.findings.append(findings)
        mark = "ok    " if not findings.faults else "FAILED"
        self.say(f"{mark} {findings.name}: {findings.tally.calls} calls, {findings.tally.share:.2f} % success, {findings.remark}")
        for fault in findings.faults:
            self.say(f"       {fault}")

    def summary(self) -> None:
        """The table of all phases."""
        self._console.print(self.table(self.findings))

    def table(self, all_findings: list[Findings], under_way: Findings | None = None) -> Table:
        """One row for each phase, and one for what is known of the phase under way."""
        table = Table(title="How each phase went", title_justify="left")
        for column in ("phase", "calls", "success", "p50", "p99", "retries", self._balancing.what, "refusals", ""):
            table.add_column(column, justify="right" if column in _RIGHT else "left")
        for findings in all_findings:
            table.add_row(*self._row(findings), "FAILED" if findings.faults else "ok")
        if under_way is not None:
            table.add_row(*self._row(under_way), "...")
        return table

    def _row(self, findings: Findings) -> tuple[str, ...]:
        tally = findings.tally
        seen = {name: list(states) for name, states in list(findings.states.items())}
        changes = ", ".join(f"{name}: {' > '.join(states)}" for name, states in seen.items() if len(states) > 1)
        refusals = ", ".join(f"{code} {count}" for code, count in sorted(tally.codes.copy().items()))
        return (
            findings.name,
            str(tally.calls),
            f"{tally.share:.2f} %",
            f"{tally.quantile(0.5):.1f} ms",
            f"{tally.quantile(0.99):.1f} ms",
            f"{findings.retries} + {tally.repeats}" if tally.repeats else str(findings.retries),
            changes or self._balancing.well,
            refusals or "-",
        )
