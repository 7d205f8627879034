"""A listener that keeps what happened, for tests to look at."""

from __future__ import annotations

import threading
from typing import TypeVar

Event = TypeVar("Event")


class Recorder:
    """Keeps every event it is told, in order; any thread may tell it and any thread may wait.

    Example::

        recorder = Recorder()
        gate = Gate(policies, listeners=[recorder])
        ...
        (served,) = recorder.of(Served)
    """

    __slots__ = ("_changed", "_events")

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._events: list[object] = []

    def __call__(self, event: object) -> None:
        """Keep `event`."""
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    @property
    def events(self) -> list[object]:
        """A copy of everything so far, oldest first."""
        with self._changed:
            return list(self._events)

    def of(self, kind: type[Event]) -> list[Event]:
        """The events of one class, oldest first."""
        return [event for event in self.events if isinstance(event, kind)]

    def wait_for(self, kind: type[Event], count: int = 1, *, timeout: float = 5.0) -> list[Event]:
        """The events of one class as soon as there are `count`.

        Raises:
            TimeoutError: After `timeout` seconds of real time with fewer.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._of(kind)) >= count, timeout):
                msg = f"{count} {kind.__name__} expected within {timeout} s, {len(self._of(kind))} came: {self._events!r}"
                raise TimeoutError(msg)
            return self._of(kind)

    def clear(self) -> None:
        """Forget everything so far."""
        with self._changed:
            self._events.clear()

    def _of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self._events if isinstance(event, kind)]

    def __len__(self) -> int:
        return len(self._events)

    def __repr__(self) -> str:
        return f"Recorder({len(self._events)} events)"
