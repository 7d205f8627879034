"""The report as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def page(found: Mapping[str, Any]) -> str:
    """Tables of the whole run and of each incident, from the report's document."""
    return "\n".join([*_whole(found), "", *_incidents(found), ""])


def _whole(found: Mapping[str, Any]) -> Iterator[str]:
    total, machine = found["total"], found["machine"]
    yield f"{', '.join(f'{name}: {value}' for name, value in machine.items())}."
    yield ""
    yield "| calls | failed | success | p50 | p99 | slowest | sent again by the client | latest start |"
    yield "|--|--|--|--|--|--|--|--|"
    latest, repeats = found["latest_start_ms"], found["repeated_by_client"]
    yield f"| {total['calls']:,} | {total['failed']} | {_row(total)} | {repeats} | {latest:.0f} ms |"
    if found["failures"]:
        yield ""
        yield f"Failed: {', '.join(f'{count} x {reason}' for reason, count in found['failures'].items())}."


def _incidents(found: Mapping[str, Any]) -> Iterator[str]:
    yield "| from | for | | calls | failed | success | p50 | p99 | slowest |"
    yield "|--|--|--|--|--|--|--|--|--|"
    for one in found["incidents"]:
        lasted = one["end"] - one["begin"]
        yield (f"| {_moment(one['begin'])} | {lasted:.1f} s | {one['name']} | {one['calls']:,} | {one['failed']} | {_row(one)} |")


def _row(found: Mapping[str, float]) -> str:
    return f"{found['success_percent']:.3f} % | {found['p50']:.1f} ms | {found['p99']:.1f} ms | {found['worst']:.0f} ms"


def _moment(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
