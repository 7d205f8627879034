"""wrk: where it is, and one run of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE = Path(__file__).parent
REPORT, VARIED = _HERE / "report.lua", _HERE / "varied.lua"


class NoWrk(Exception):
    """wrk is not installed."""

    def __init__(self) -> None:
        super().__init__("wrk is not here: apt-get install wrk, or make servers as root")


@dataclass(frozen=True, slots=True)
class Seen:
    """What wrk saw in one run.

    Attributes:
        requests: How many were answered.
        seconds: How long it took.
        p50: Milliseconds within which half of the answers came.
        p99: Milliseconds within which 99 of 100 came.
        longest: Milliseconds of the slowest.
        errors: Answers of 400 and above, and connections, reads, writes and waits that failed.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    longest: float
    errors: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def found() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def wrk(
    url: str,
    *,
    seconds: int,
    connections: int,
    headers: Mapping[str, str],
    script: Path = REPORT,
    env: Mapping[str, str] | None = None,
) -> Seen:
    """Have one thread of wrk ask for a URL over so many connections.

    Raises:
        NoWrk: it is not installed.
        subprocess.CalledProcessError: it failed.
    """
    if not found():
        raise NoWrk
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--script", str(script)]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    variables = {**os.environ, "REPORT": str(REPORT), **(env or {})}
    output = subprocess.run([*command, url], check=True, capture_output=True, text=True, env=variables).stdout
    return parsed(output)


def parsed(output: str) -> Seen:
    """What the last line of its output says."""
    told: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    errors = sum(told[kind] for kind in ("status", "connect", "read", "write", "timeout"))
    p50, p99, longest = (told[name] / 1e3 for name in ("p50", "p99", "max"))
    return Seen(told["requests"], told["duration"] / 1e6, p50, p99, longest, errors)
