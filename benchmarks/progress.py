"""What a command that takes minutes says meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable


def progress_to(stream: TextIO) -> Callable[[str], None]:
    """Says what is being done: on one line where somebody watches, else a line for each subject, and "done" at the end."""
    return _overwriting(stream) if stream.isatty() else _lines(stream)


def _overwriting(stream: TextIO) -> Callable[[str], None]:
    return lambda text: print(f"\r\x1b[K{text}", end="" if text != "done" else "\n", file=stream, flush=True)


def _lines(stream: TextIO) -> Callable[[str], None]:
    said: list[str] = []

    def progress(text: str) -> None:
        subject = text.partition(":")[0]
        if not said or said[-1] != subject:
            said.append(subject)
            print(subject, file=stream, flush=True)

    return progress
