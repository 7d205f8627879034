"""Why what misses its target does, by scenario and kind of target: said under the table while it is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_COLD = """\
wrk, the server and the application share two cores, and one interpreter runs one thread at a time. The gate executes the same
instructions as alone, and takes two to three times as long for them, as application and gate in turn are more than the
processor's caches keep: see "Why the gate costs more in front of Flask"."""
_WAITING = """\
{connections} requests are under way at any time, so that each waits for those before it: at this rate that alone is most of
it; the rest are threads that wait for the interpreter."""

WHY: Mapping[tuple[str, str], str] = {
    ("flask", "rate"): _COLD,
    **{(scenario, "p99"): _WAITING for scenario in ("flask", "uvicorn", "granian")},
}
