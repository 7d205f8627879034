"""The way from a queue of samples to a receiver, in one process: fold, add up, pack, send, and count what was lost.

Requests touch the queue, and every few hundred samples one of them adds up what is there: in small portions that takes a tenth of
a millisecond, while a thread that did it once a second would keep the interpreter for all that time, and every request waiting.
Packing and sending belong to the background thread.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from .aggregate import Aggregate
from .background import Background
from .measures import Measures
from .transport import Client, Packing

if TYPE_CHECKING:
    from .dialects import Dialect
    from .measures import Key, Sample


class Pipe:
    """The queue of one process and what its thread owns."""

    def __init__(self, client: Any, dialect: Dialect, max_samples: int, every: float) -> None:
        self.queue: deque[Sample] = deque()
        self.overflowed = 0
        self.failed = 0
        self._told_dropped = self._told_packets = self._told_bytes = 0
        self._dialect = dialect
        self._measures = Measures(dialect)
        self._aggregate = Aggregate(dialect, max_samples)
        self._client = client
        #: Held while samples are added up, never while any are sent.
        self._folding = threading.Lock()
        self.background = Background(self.work, every=every, name="interservice-statsd", finish=self.release)

    @property
    def dropped(self) -> int:
        """All that was lost so far."""
        return self.overflowed + self.failed + (self._client.dropped if isinstance(self._client, Client) else 0)

    def fold(self) -> None:
        """Add up the samples that are there, unless somebody is at it."""
        if self._folding.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._folding.release()

    def work(self) -> None:
        """One flush."""
        with self._folding:
            self._fold()
            if not self._aggregate:
                return
            self._tell_of_itself()
            lines = self._aggregate.take()
        pipeline = self._client.pipeline()
        count = 0
        for name, values in lines:
            count += len(values)
            if isinstance(pipeline, Packing) and len(values) > 1:
                pipeline.send_together(name, values)
                continue
            for value in values:
                pipeline._send_stat(name, value, 1)  # noqa: SLF001 - what incr, timing and gauge call: it takes a dialect's suffix too
        try:
            pipeline.send()
        except Exception:  # noqa: BLE001 - a user's client may raise anything: TCPStatsClient does
            self.failed += count
            self._recover()

    def release(self) -> None:
        """Close the socket, unless it is in a client that was given."""
        if isinstance(self._client, Client):
            self._client.close()

    def _fold(self) -> None:
        queue = self.queue
        groups: dict[Key, list[float]] = {}
        for _ in range(len(queue)):
            key, value = queue.popleft()
            try:
                groups.setdefault(key, []).append(value)
            except TypeError:  # a user's tag that cannot be hashed
                self.failed += 1
        for key, values in groups.items():
            try:
                self._measures.add(self._aggregate, key, values)
            except Exception:  # noqa: BLE001 - a user's value that is no number, name that is no text
                self.failed += len(values)

    def _tell_of_itself(self) -> None:
        client = self._client if isinstance(self._client, Client) else None
        told = {
            "dropped": self.dropped - self._told_dropped,
            "packets": 0 if client is None else client.packets - self._told_packets,
            "bytes": 0 if client is None else client.bytes - self._told_bytes,
        }
        for metric, count in told.items():
            if count:
                self._aggregate.count(self._dialect.series(metric, {}), count)
        self._told_dropped += told["dropped"]
        self._told_packets += told["packets"]
        self._told_bytes += told["bytes"]

    def _recover(self) -> None:
        """Streams of the statsd package do not recover by themselves: a closed one connects again at the next packet."""
        try:
            self._client.close()
        except Exception:  # noqa: BLE001 - as above
            self.failed += 0
