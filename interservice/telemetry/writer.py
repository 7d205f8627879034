"""Where records go: a stream, a logger, or either behind a bounded buffer that a thread empties.

A line is one write and one flush, so that the lines of workers sharing a pipe stay whole. A sink that fails is counted and
reported once; it never raises, and the request does not notice. No lock is held while writing.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from interservice.options import check, number

from .background import Background
from .sampling import INFO, WARNING

if TYPE_CHECKING:
    from collections.abc import Callable

    from interservice.clock import Clock

    from .rows import Row

_LOG = logging.getLogger("interservice.telemetry")
_TELL_DROPPED_EVERY = 60.0
_DRAIN_EVERY = 0.5


class TextStream(Protocol):
    """What is needed of a stream: `sys.stdout` or any text file."""

    def write(self, text: str, /) -> object:
        """Take a line."""

    def flush(self) -> object:
        """Pass it on."""


class Output(Protocol):
    """What the access log needs of a sink."""

    @property
    def dropped(self) -> int:
        """Records that did not arrive."""

    def write(self, level: int, record: Row | dict[str, Any]) -> None:
        """Take a record."""

    def flush(self, timeout: float) -> bool:
        """Have all that was taken written within `timeout` seconds."""

    def close(self) -> None:
        """Flush, and stop what runs in the background."""


class StreamOutput:
    """Writes lines to a text stream; None is `sys.stdout`, looked up for each line so that redirection works."""

    __slots__ = ("_encode", "_reported", "_stream", "dropped")

    def __init__(self, stream: TextStream | None, encode: Callable[[Row | dict[str, Any]], str]) -> None:
        self._stream = stream
        self._encode = encode
        self._reported = False
        self.dropped = 0

    def write(self, level: int, record: Row | dict[str, Any]) -> None:  # noqa: ARG002 - a stream has no levels
        """Write one line."""
        line = self._encode(record) + "\n"
        stream = sys.stdout if self._stream is None else self._stream
        try:
            stream.write(line)
            stream.flush()
        except Exception as error:  # noqa: BLE001 - a broken pipe or closed file must not become the request's
            self.dropped += 1
            self._report(error)

    def _report(self, error: Exception) -> None:
        if not self._reported:
            self._reported = True
            _LOG.warning("the access log's stream cannot be written (%r); its lines are dropped and counted", error)

    def flush(self, timeout: float) -> bool:  # noqa: ARG002 - each line was flushed
        """Nothing is kept."""
        return True

    def close(self) -> None:
        """Nothing is kept; the stream is its owner's to close."""

    def __repr__(self) -> str:
        return "sys.stdout" if self._stream is None else repr(self._stream)


class Line(dict[str, Any]):
    """A record on its way through `logging`: a dict to JSON formatters, its JSON line to plain ones."""

    __slots__ = ("_encode",)

    def __init__(self, record: dict[str, Any], encode: Callable[[Row | dict[str, Any]], str]) -> None:
        super().__init__(record)
        self._encode = encode

    def __str__(self) -> str:
        return self._encode(self)


class LoggerOutput:
    """Hands records to a logger, each with its level; the logger's handlers and formatters do the rest."""

    __slots__ = ("_encode", "_logger", "_reported", "dropped")

    def __init__(self, logger: logging.Logger, encode: Callable[[Row | dict[str, Any]], str]) -> None:
        self._logger = logger
        self._encode = encode
        self._reported = False
        self.dropped = 0

    def write(self, level: int, record: Row | dict[str, Any]) -> None:
        """Log one record."""
        try:
            self._logger.log(level, Line(record if isinstance(record, dict) else record.record(), self._encode))
        except Exception as error:  # noqa: BLE001 - a handler's fault must not become the request's
            self.dropped += 1
            if not self._reported:
                self._reported = True
                _LOG.warning("logger %s raised (%r); records are dropped and counted", self._logger.name, error)

    def flush(self, timeout: float) -> bool:  # noqa: ARG002 - handlers keep their own counsel
        """Nothing is kept."""
        return True

    def close(self) -> None:
        """Nothing is kept."""

    def __repr__(self) -> str:
        return repr(self._logger)


def output_to(stream: TextStream | None, logger: logging.Logger | None, encode: Callable[[Row | dict[str, Any]], str]) -> Output:
    """The output to a logger, or else to a stream; None is `sys.stdout`.

    Raises:
        ConfigurationError: Both are given, or one that is not what it should be.
    """
    check(logger is None or isinstance(logger, logging.Logger), "AccessLog.logger", "a logging.Logger", logger)
    check(stream is None or callable(getattr(stream, "write", None)), "AccessLog.stream", "a text stream", stream)
    check(stream is None or logger is None, "AccessLog.stream", "None where a logger is given", stream)
    return StreamOutput(stream, encode) if logger is None else LoggerOutput(logger, encode)


class BufferedOutput:
    """Keeps up to `size` records for a thread of this process that passes them on.

    When it is full, the oldest record of level info or below goes; when there is none, the oldest. Losses are counted, and told
    in the log at most once a minute.
    """

    __slots__ = ("_buffers", "_clock", "_mine", "_output", "_size", "_tell")

    def __init__(self, output: Output, size: int, tell: Callable[[int, int], dict[str, Any]], clock: Clock) -> None:
        number("AccessLog.buffer", size, at_least=1, integer=True)
        self._output = output
        self._size = size
        self._tell = tell
        self._clock = clock
        self._buffers: dict[int, _Buffer] = {}
        self._mine: _Buffer | None = None

    @property
    def dropped(self) -> int:
        """Records that this process lost, for want of room or of a stream."""
        return self._output.dropped + (0 if self._mine is None else self._mine.lost)

    def write(self, level: int, record: Row | dict[str, Any]) -> None:
        """Keep one record."""
        mine = self._mine
        if mine is None or mine.thread.pid != os.getpid():
            made = _Buffer(self._output, self._size, self._tell, self._clock)
            mine = self._mine = self._buffers.setdefault(made.thread.pid, made)  # of several threads, one makes it
        mine.put(level, record)

    def flush(self, timeout: float) -> bool:
        """Have all that is kept passed on within `timeout` seconds."""
        return self._mine is None or self._mine.thread.flush(timeout)

    def close(self) -> None:
        """Pass on what is kept, and stop the thread."""
        mine, self._mine = self._mine, None
        self._buffers.clear()
        if mine is not None:
            mine.thread.stop()

    def __repr__(self) -> str:
        return f"{self._output!r}, buffered"


class _Buffer:
    """What is kept in one process. Appending and taking from a deque is atomic: there is no lock."""

    __slots__ = (
        "_clock",
        "_ordinary",
        "_output",
        "_sequence",
        "_serious",
        "_size",
        "_tell",
        "_told",
        "_told_at",
        "lost",
        "thread",
    )

    def __init__(self, output: Output, size: int, tell: Callable[[int, int], dict[str, Any]], clock: Clock) -> None:
        self._output = output
        self._size = size
        self._tell = tell
        self._clock = clock
        self._ordinary: deque[tuple[int, int, Row | dict[str, Any]]] = deque()
        self._serious: deque[tuple[int, int, Row | dict[str, Any]]] = deque()
        self._sequence = 0
        self.lost = 0
        self._told = 0
        self._told_at = float("-inf")
        self.thread = Background(self.drain, every=_DRAIN_EVERY, name="interservice-log")

    def put(self, level: int, record: Row | dict[str, Any]) -> None:
        """Keep one record, and drop another if there are too many."""
        self._sequence += 1
        (self._serious if level > INFO else self._ordinary).append((self._sequence, level, record))
        kept = len(self._ordinary) + len(self._serious)
        if kept > self._size:
            try:
                (self._ordinary or self._serious).popleft()
                self.lost += 1
            except IndexError:
                pass  # the thread was quicker
        if not self.thread.running:
            self.thread.start()
        self.thread.wake()

    def drain(self) -> None:
        """Pass on what is there, in the order in which it came."""
        taken = [queue.popleft() for queue in (self._ordinary, self._serious) for _ in range(len(queue))]
        for _, level, record in sorted(taken, key=lambda kept: kept[0]):
            self._output.write(level, record)
        lost = self.lost
        if lost > self._told and self._clock.monotonic() - self._told_at >= _TELL_DROPPED_EVERY:
            self._output.write(WARNING, self._tell(lost - self._told, WARNING))
            self._told, self._told_at = lost, self._clock.monotonic()
