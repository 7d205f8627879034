"""One run of the demo: the stack up, the phases in order, the table, the stack down."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from interservice.clock import SYSTEM
from interservice.errors import ConfigurationError

from .phases import PHASES, Scene
from .report import Report
from .stack import NotReadyError, Stack
from .traffic import Traffic

if TYPE_CHECKING:
    from interservice.clock import Clock

_MARKER = ".interservice-demo"


def demonstrate(output: Path, examples: Path | None, *, seconds: float, plain: bool = False, clock: Clock = SYSTEM) -> int:
    """Run every phase; 0 when all did what they should, 1 when not or when a part did not start."""
    report = Report(plain=plain)
    started = clock.monotonic()
    try:
        folder = prepare_folder(output)
        report.say("starting the issuer, invoices, two orders instances and the gateway ...")
        with Stack(find_examples(examples), folder, clock) as stack:
            scene = Scene(stack, Traffic(stack, clock), clock, seconds)
            for number, phase in enumerate(PHASES, 1):
                what = (phase.__doc__ or "").strip()
                report.during(f"{number}/{len(PHASES)} {what}", partial(phase, scene), lambda: scene.current)
            stack.receiver.write(folder / "metrics.txt")
            bad_lines = stack.receiver.bad_lines
    except NotReadyError as error:
        report.say(str(error))
        return 1
    report.summary()
    failed = [findings.name for findings in report.findings if findings.faults]
    if bad_lines:
        failed.append(f"{bad_lines} StatsD lines could not be read")
    report.say(f"access logs and metrics: {folder}    took {clock.monotonic() - started:.0f} s")
    report.say(f"failed: {', '.join(failed)}" if failed else "every phase did what it should")
    return 1 if failed else 0


def prepare_folder(output: Path) -> Path:
    """An empty folder for this run; one that holds anything but an earlier run is left alone.

    Raises:
        ConfigurationError: The folder holds something else.
    """
    folder = output.resolve()
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).exists():
        raise ConfigurationError(f"--output must be a new folder or one of an earlier demo, not {str(output)!r}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / _MARKER).touch()
    return folder


def find_examples(given: Path | None) -> Path:
    """The folder of the example services: the one given, or the one in the checkout that the package or the caller stands in.

    Raises:
        ConfigurationError: There is none.
    """
    candidates = [given] if given else [Path(__file__).resolve().parents[3] / "examples", Path.cwd() / "examples"]
    for folder in candidates:
        if (folder / "flask_app" / "wsgi.py").is_file() and (folder / "django_app" / "asgi.py").is_file():
            return folder.resolve()
    looked = " or ".join(str(folder) for folder in candidates)
    raise ConfigurationError(f"--examples must be the examples folder of a checkout of interservice; looked in {looked}")
