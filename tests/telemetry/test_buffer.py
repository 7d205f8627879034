"""The bounded buffer: order, what goes first when it is full, and that losses are told."""

from __future__ import annotations

import threading
from typing import Any

from interservice.telemetry import AccessLog
from interservice.testing import FakeClock
from tests.telemetry.material import Sink, exchange, served


class Gated(Sink):
    """A stream whose first write waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.open = threading.Event()

    def write(self, text: str, /) -> int:
        self.entered.set()
        self.open.wait(10.0)
        return super().write(text)


def event(name: str, status: int = 200) -> Any:
    return served(exchange(request_id=name), status=status)


def test_a_full_buffer_loses_the_oldest_of_level_info_first_and_says_so() -> None:
    stream, clock = Gated(), FakeClock()
    log = AccessLog(stream=stream, buffer=3, clock=clock)
    log(event("first"))
    assert stream.entered.wait(10.0)  # the thread is held up with it: from here on the buffer fills
    for name, status in (("e1", 500), ("i1", 200), ("i2", 200), ("i3", 200), ("e2", 500), ("e3", 500), ("e4", 500)):
        log(event(name, status))
    assert log.dropped == 4
    stream.open.set()
    assert log.flush(10.0)
    log.close()
    records = stream.records()
    assert [record["request_id"] for record in records if "request_id" in record] == ["first", "e2", "e3", "e4"]
    assert [record["interservice.dropped"] for record in records if "interservice.dropped" in record] == [4]


def test_a_request_does_not_wait_for_a_slow_stream() -> None:
    stream = Gated()
    log = AccessLog(stream=stream, buffer=10)
    for number in range(5):
        log(event(f"r-{number}"))  # returns, though nothing can be written
    assert stream.getvalue() == ""
    stream.open.set()
    log.close()
    assert len(stream.records()) == 5
