"""What one call does, counted: functions entered, C functions called, bytecode instructions, blocks of memory taken.

Counts are the same on a fast machine and a slow one, busy or idle. They differ between minor versions of Python, which compile
the same source to other instructions. Only the thread that counts is looked at, but for memory, which all threads share. What
is left of chance (picks, hash seeds, a second that ends) is what the median of several calls is for.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

_ROOT = f"{Path(__file__).parents[2]}/"
_WARM = 30
_CALLS = 7
_SLOW_CALLS = 3  # counting blocks looks at every pool of the heap, at each instruction


@dataclass(frozen=True, slots=True)
class Work:
    """What one call does.

    Attributes:
        calls: Python functions entered; a generator that goes on is entered again.
        c_calls: C functions called.
        instructions: Bytecode instructions carried out.
        blocks: Blocks of memory that an instruction took and still held at its end; what a C function gives back by itself is
            not seen.
        functions: Instructions by function, as "interservice/module.py:Class.function"; those of other packages are together
            under the package's name, those of the standard library under "Python".
    """

    calls: int
    c_calls: int
    instructions: int
    blocks: int
    functions: dict[str, int]

    @property
    def counts(self) -> dict[str, int]:
        """The counts by name, without the functions."""
        return {"calls": self.calls, "c_calls": self.c_calls, "instructions": self.instructions, "blocks": self.blocks}


def count(call: Callable[[], object], *, warm: int = _WARM, times: int = _CALLS) -> Work:
    """Count the work of a call, once it is warm.

    Args:
        call: What is counted. It must not trace or profile.
        warm: How often to call it before.
        times: Of how many calls the median is taken, for each count.
    """
    for _ in range(warm):
        call()
    gc.collect()
    with _no_collection():
        entered = [_entered(call) for _ in range(times)]
        carried = sorted((_carried_out(call) for _ in range(times)), key=lambda each: each.total())
        taken = [_taken(call) for _ in range(_SLOW_CALLS)]
    middle = carried[times // 2]
    calls, c_calls = (_median([each[place] for each in entered]) for place in (0, 1))
    return Work(calls, c_calls, middle.total(), _median(taken), dict(_named(middle)))


def instructions(call: Callable[[], object], *, warm: int = _WARM, times: int = 3) -> int:
    """The bytecode instructions of a call and nothing else, which takes much less time than `count`."""
    for _ in range(warm):
        call()
    with _no_collection():
        return _median([_carried_out(call).total() for _ in range(times)])


def _median(values: list[int]) -> int:
    return sorted(values)[len(values) // 2]


def _named(codes: Counter[CodeType]) -> Counter[str]:
    names: Counter[str] = Counter()
    for code, instructions in codes.items():
        names[_name(code)] += instructions
    return names


def _name(code: CodeType) -> str:
    """A function of this project by module and name, others by their package: the same on every machine."""
    path = code.co_filename
    _, found, rest = path.rpartition("/site-packages/")
    if found and not rest.startswith("interservice/"):
        return rest.partition("/")[0]
    if found or path.startswith(_ROOT):
        return f"{rest if found else path.removeprefix(_ROOT)}:{code.co_qualname}"
    return "Python"


def _entered(call: Callable[[], object]) -> tuple[int, int]:
    """Python functions and C functions called."""
    python = c = 0

    def profile(_frame: FrameType, event: str, argument: Any) -> None:
        nonlocal python, c
        if event == "call":
            python += 1
        elif event == "c_call" and argument is not sys.setprofile:
            c += 1

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(before)
    return python, c


def _carried_out(call: Callable[[], object]) -> Counter[CodeType]:
    """Instructions by code object."""
    codes: Counter[CodeType] = Counter()

    def instruction(code: CodeType) -> None:
        codes[code] += 1

    _watched(call, instruction)
    return codes


def _taken(call: Callable[[], object]) -> int:
    """Blocks of memory taken: what their number grew by from one instruction to the next, where it grew."""
    blocks = sys.getallocatedblocks
    taken = 0
    last = blocks()

    def instruction(_code: CodeType) -> None:
        nonlocal taken, last
        now = blocks()
        if now > last:
            taken += now - last
        last = now

    _watched(call, instruction)
    return taken


@contextmanager
def _no_collection() -> Iterator[None]:
    """A collection looks at what others left behind, at a moment of its own."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


if sys.version_info >= (3, 12):

    def _watched(call: Callable[[], object], tell: Callable[[CodeType], None]) -> None:
        """Tell every instruction that this thread carries out in the call."""
        monitoring, thread, ident, here = sys.monitoring, threading.get_ident(), threading.get_ident, _watched.__code__

        def instruction(code: CodeType, _offset: int) -> None:
            if code is not here and ident() == thread:
                tell(code)

        events = monitoring.events
        tool = next(number for number in range(6) if monitoring.get_tool(number) is None)
        monitoring.use_tool_id(tool, "interservice.benchmarks.guard")
        monitoring.register_callback(tool, events.INSTRUCTION, instruction)
        monitoring.set_events(tool, events.INSTRUCTION)
        try:
            call()
        finally:
            monitoring.set_events(tool, 0)
            monitoring.register_callback(tool, events.INSTRUCTION, None)
            monitoring.free_tool_id(tool)

else:

    def _watched(call: Callable[[], object], tell: Callable[[CodeType], None]) -> None:
        """Tell every instruction that this thread carries out in the call."""

        def local(frame: FrameType, event: str, _argument: Any) -> Any:
            if event == "opcode":
                tell(frame.f_code)
            return local

        def entered(frame: FrameType, _event: str, _argument: Any) -> Any:
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return local

        before = sys.gettrace()
        sys.settrace(entered)
        try:
            call()
        finally:
            sys.settrace(before)
