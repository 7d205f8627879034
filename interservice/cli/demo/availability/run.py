"""One run: the servers up, load with trouble, the servers down, and the report in three files."""

from __future__ import annotations

import json
import os
import platform
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from interservice.cli.demo.ending import interruptible
from interservice.cli.demo.process import NotReadyError
from interservice.cli.demo.runner import find_examples, prepare_folder
from interservice.cli.demo.servers.stack import ServersStack
from interservice.cli.demo.traffic import Tally, Traffic
from interservice.clock import SYSTEM

from .draw import plot
from .incidents import incidents, make
from .load import Load, Outcome
from .pages import page
from .summary import by_second, document, figures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from interservice.cli.demo.servers.parts import Gateway
    from interservice.clock import Clock

    from .incidents import Happened
    from .load import Sample

#: In percent: what the architecture aims at.
AIM = 99.9
_ORDERS = 24


def measure(output: Path, examples: Path | None, *, gateway: Gateway, seconds: float, rate: float, clock: Clock = SYSTEM) -> int:
    """Measure, and write availability.json, .md and .svg; 0 when enough calls succeeded.

    Args:
        output: Where the report and the logs go.
        examples: The folder of the example services, or None to look for it.
        gateway: What is in front.
        seconds: How long the load lasts.
        rate: Calls in a second.
        clock: For waiting and measuring.
    """
    try:
        where = find_examples(examples)
        folder = prepare_folder(output)
        _say(f"starting the servers; then {rate:g} calls a second for {seconds / 60:g} min, with trouble in turn ...")
        with interruptible(), ServersStack(where, folder, gateway, clock=clock) as stack:
            machine = _machine(clock, gateway)
            traffic = _filled(Traffic(stack, clock))
            samples, happened = _load(stack, traffic, seconds, rate, clock)
            lines, wrong = stack.accounts(traffic.sent)
            stack.save(folder)
    except NotReadyError as error:
        _say(str(error))
        return 1
    found = document(samples, happened, rate=rate, seconds=seconds, machine=machine)
    _write(folder, found, plot(f"{rate:g} calls a second through {gateway}", by_second(samples, seconds), happened))
    text = page(found)
    _say("\n".join([text, *lines, *wrong, f"report: {folder}/availability.md, .json and .svg"]))
    enough = figures(samples).share >= AIM
    _say(f"{'at least' if enough else 'less than'} {AIM} % of the calls succeeded")
    return 0 if enough and not wrong else 1


def _filled(traffic: Traffic) -> Traffic:
    """With orders to be read."""
    made = traffic.fill(_ORDERS)
    if made.successes < made.calls:
        raise NotReadyError(f"orders could not be made: {dict(made.statuses)} {dict(made.codes)}")
    return traffic


def _load(
    stack: ServersStack, traffic: Traffic, seconds: float, rate: float, clock: Clock
) -> tuple[list[Sample], list[Happened]]:
    happened: list[Happened] = []
    choice = random.Random(1)  # noqa: S311 - a mix of calls, the same in every run
    paths = [traffic.path(choice) for _ in range(int(seconds * rate) + 1)]

    def call(number: int) -> Outcome:
        tally = Tally()
        traffic.get(tally, paths[number])
        failure = None if tally.successes else " ".join(str(word) for word in (*tally.statuses, *tally.codes))
        return Outcome(failure, tally.repeats)

    def meanwhile(started: float) -> None:
        happened.extend(make(incidents(stack), started, seconds, clock))

    samples = Load(call, rate, seconds, clock).run(meanwhile)
    return samples, happened


def _write(folder: Path, found: Mapping[str, object], svg: str) -> None:
    (folder / "availability.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (folder / "availability.md").write_text(page(found), encoding="utf-8")
    (folder / "availability.svg").write_text(svg, encoding="utf-8")


def _machine(clock: Clock, gateway: Gateway) -> dict[str, str]:
    """What the figures were taken on: without it they say nothing."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "date": datetime.fromtimestamp(clock.time(), UTC).date().isoformat(),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "gateway": gateway,
    }


def _processor() -> str:
    try:
        lines: Sequence[str] = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command's output
