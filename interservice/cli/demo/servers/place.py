"""Where the servers live: the program of each, and a folder of its own below the run's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interservice.cli.demo.process import Process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from interservice.clock import Clock

_ENTERED_BY_ALL, _READ_BY_ME = 0o755, 0o600


@dataclass(frozen=True)
class Place:
    """A run's place.

    Attributes:
        output: The run's folder.
        programs: The path of each program by name.
        clock: For waiting.
    """

    output: Path
    programs: Mapping[str, Path]
    clock: Clock

    def folder(self, name: str) -> Path:
        """The folder of one server, which servers that give up their rights may enter."""
        folder = self.output / name
        folder.mkdir(exist_ok=True)
        folder.chmod(_ENTERED_BY_ALL)
        return folder

    def write(self, name: str, file: str, text: str) -> Path:
        """A file in a server's folder, which may hold secrets."""
        path = self.folder(name) / file
        path.touch(mode=_READ_BY_ME)
        path.write_text(text, encoding="utf-8")
        return path

    def process(
        self, name: str, program: str, arguments: Sequence[object], port: int, ready: str | None, **environ: str
    ) -> Process:
        """A server that runs in its folder and says what it has to say to a file beside it."""
        command = [str(self.programs[program]), *map(str, arguments)]
        return Process(name, command, port, self.folder(name), environ, self.output / f"{name}.out", self.clock, ready)
