"""One run of the demo: the stack up, the phases in order, the table, the stack down."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypedDict, TypeVar

from interservice.clock import SYSTEM
from interservice.errors import ConfigurationError

from .embedded import EmbeddedStack
from .ending import interruptible
from .phases import PHASES, Scene
from .process import NotReadyError
from .report import Report
from .stack import Balancing, Stack
from .traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from interservice.clock import Clock

    from .phases import Findings


class Options(TypedDict):
    """How a show is given, whatever it shows."""

    seconds: float
    plain: bool


_MARKER = ".interservice-demo"
S = TypeVar("S", bound=Stack)


@dataclass(frozen=True)
class Show(Generic[S]):
    """What is shown: a stack and what is done to it.

    Attributes:
        parts: What the stack is made of, in words.
        stack: Starts it, with the folder of the examples and the one for logs.
        balancing: How it takes instances out of the traffic.
        phases: What is done to it, in order.
    """

    parts: str
    stack: Callable[[Path, Path], AbstractContextManager[S]]
    balancing: Balancing
    phases: Sequence[Callable[[Scene[S]], Findings]]


#: What `make demo` shows.
EMBEDDED: Show[EmbeddedStack] = Show(
    "the issuer, invoices, two orders instances and the gateway", EmbeddedStack, EmbeddedStack.balancing, PHASES
)


def demonstrate(
    show: Show[S], output: Path, examples: Path | None, *, seconds: float, plain: bool = False, clock: Clock = SYSTEM
) -> int:
    """Run every phase; 0 when all did what they should, 1 when not or when a part did not start."""
    report = Report(show.balancing, plain=plain)
    started = clock.monotonic()
    try:
        where = find_examples(examples)
        folder = prepare_folder(output)
        report.say(f"starting {show.parts} ...")
        with interruptible(), show.stack(where, folder) as stack:
            wrong = _run(show, Scene(stack, Traffic(stack, clock), clock, seconds), report)
            stack.save(folder)
    except NotReadyError as error:
        report.say(str(error))
        return 1
    failed = [findings.name for findings in report.findings if findings.faults] + wrong
    report.say(f"access logs and metrics: {folder}    took {clock.monotonic() - started:.0f} s")
    report.say(f"failed: {', '.join(failed)}" if failed else "every phase did what it should")
    return 1 if failed else 0


def _run(show: Show[S], scene: Scene[S], report: Report) -> list[str]:
    """The phases, the table, and what monitoring says of them; what is wrong in that."""
    for number, phase in enumerate(show.phases, 1):
        what = (phase.__doc__ or "").strip()
        report.during(f"{number}/{len(show.phases)} {what}", partial(phase, scene), lambda: scene.current)
        if not scene.traffic.orders:
            break  # nothing works: the other phases could say no more
    report.summary()
    lines, wrong = scene.stack.accounts(scene.traffic.sent)
    for line in lines:
        report.say(line)
    return wrong


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
