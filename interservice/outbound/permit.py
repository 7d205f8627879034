"""Leave to make one call through a circuit. It holds the phase it was given in, by which a late result is known as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .circuit import Circuit
    from .phase import Phase


class Permit:
    """Leave to make one call, to be handed back with what became of it: once, later reports change nothing.

    Not made by users: `Circuit.try_acquire()` gives it.
    """

    __slots__ = ("_circuit", "_done", "_phase", "_started", "_ticket")

    def __init__(self, circuit: Circuit, phase: Phase, started: float = 0.0) -> None:
        self._circuit = circuit
        self._phase = phase
        self._started = started
        self._ticket: int | None = None
        self._done = False

    def success(self, seconds: float) -> None:
        """The call was answered after `seconds`."""
        if not self._done:
            self._circuit._settle(self, False, seconds, None)  # noqa: FBT003, SLF001 - one machine in two classes

    def failure(self, seconds: float, error: BaseException | str | None = None) -> None:
        """The call failed after `seconds`; of an exception only the type's name is kept, a string such as "503" as it is."""
        if not self._done:
            self._circuit._settle(self, True, seconds, error)  # noqa: FBT003, SLF001

    def ignore(self) -> None:
        """The call says nothing about what was called: it counts neither way, and a probe's place is free again."""
        if not self._done:
            self._circuit._forgo(self)  # noqa: SLF001

    def fail_late(self, error: BaseException | str | None = None) -> None:
        """A call reported as a success failed after all, in the body of a streamed response: it now counts as a failure, once."""
        if self._done:
            self._circuit._revise(self, error)  # noqa: SLF001
