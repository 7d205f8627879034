"""Metrics for StatsD: a request appends a value to a queue; what waits for anything is done in a background thread.

A listener of events that never blocks and never raises. Samples are added up, packed, and sent through a client of the statsd
package. What is lost is counted, and the count is itself a metric.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any

from statsd.client.base import StatsClientBase

from interservice.clock import SYSTEM
from interservice.errors import ConfigurationError
from interservice.events import Served
from interservice.forks import forget_after_fork
from interservice.options import check, number, one_of, text

from .address import Address, parse_address
from .dialects import DIALECTS, Dialect
from .measures import sample, served
from .pipe import Pipe
from .transport import client_for

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Mapping

    from interservice.clock import Clock

    from .measures import Sample

_QUEUE = 65_536
#: From so many samples on they are added up by the request that comes upon them: about a tenth of a millisecond.
_FOLD_AT = 256
#: Each 32nd sample looks whether all is well with its queue, and so does each into an empty one; asking for the process id costs
#: as much as the rest. Of a full queue each does.
_LOOK_EVERY = 31
_MIN_PACKET, _MAX_PACKET = 128, 65_507


class StatsD:
    """Sends metrics of exchanges, calls and circuits, and your own, to a StatsD receiver.

    Args:
        address: "host:port" (UDP), "tcp://host:port", "unix:///path" (datagrams), or a client of the statsd package. A host
            that does not
            resolve is no error: it is looked up in the background, again and again.
        prefix: What every name starts with, such as the service's name; None: nothing.
        dialect: plain, dogstatsd, influx or graphite. In all but plain, labels are tags.
        flush_every: Seconds between two flushes.
        max_packet: Bytes of the largest packet: 1432 fits Ethernet, 512 the open internet, 8932 jumbo frames, 8192 unix sockets.
        tags: Tags of every metric, in a dialect that has tags.
        max_names: Distinct routes, clients, endpoints, ... that have their own metric; further ones are counted as `_other`.
        max_samples: Timings of one metric that are sent per flush; of more, a uniform sample. Counters are always exact.
        clock: What re-resolving and reconnecting go by.

    Raises:
        ConfigurationError: An option has a value that cannot work: an address without host or with a bad port, for one.
    """

    def __init__(
        self,
        address: str | StatsClientBase,
        *,
        prefix: str | None = None,
        dialect: str = "plain",
        flush_every: float = 1.0,
        max_packet: int = 1432,
        tags: Mapping[str, str] | None = None,
        max_names: int = 500,
        max_samples: int = 1000,
        clock: Clock = SYSTEM,
    ) -> None:
        self._target = _target(address)
        text("StatsD.prefix", prefix, optional=True)
        one_of("StatsD.dialect", dialect, DIALECTS)
        number("StatsD.flush_every", flush_every, above=0)
        number("StatsD.max_packet", max_packet, integer=True, at_least=_MIN_PACKET, at_most=_MAX_PACKET)
        number("StatsD.max_names", max_names, integer=True, at_least=1)
        number("StatsD.max_samples", max_samples, integer=True, at_least=1)
        check(not tags or dialect != "plain", "StatsD.tags", "empty in dialect plain", tags)
        self._every = flush_every
        self._max_packet = max_packet
        self._max_samples = max_samples
        self._clock = clock
        self._dialect: Callable[[], Dialect] = lambda: Dialect(dialect, prefix, tags or {}, max_names)
        self._pipes: dict[int, Pipe] = {}
        self._pipe: Pipe | None = None
        self._finalizer: Any = None
        self._hooked = False
        self._unread = 0

    def __call__(self, event: object) -> None:
        """Take the sample of an event that has one; other events are ignored."""
        try:
            taken = served(event) if isinstance(event, Served) else sample(event)
        except Exception:  # noqa: BLE001 - whatever an event holds must not become the request's
            self._unread += 1
            return
        if taken is not None:
            self._put(taken)

    def increment(self, name: str, count: float = 1, **tags: str) -> None:
        """Add to a counter of your own. Tags are for dialects that have them; in dialect plain they are left out."""
        self._put((("c", name, tuple(tags.items())), count))

    def timing(self, name: str, seconds: float, **tags: str) -> None:
        """Take a timing of your own, in seconds; it is sent in milliseconds."""
        self._put((("ms", name, tuple(tags.items())), seconds))

    def gauge(self, name: str, value: float, **tags: str) -> None:
        """Set a gauge of your own; it is sent again at every flush."""
        self._put((("g", name, tuple(tags.items())), value))

    @property
    def dropped(self) -> int:
        """Samples and lines of this process that were lost: a full queue, no receiver, a line longer than a packet."""
        pipe = self._pipe
        return self._unread + (0 if pipe is None else pipe.dropped)

    def flush(self, timeout: float = 1.0) -> bool:
        """Send what is there now, waiting at most `timeout` seconds: True when it went out or was dropped."""
        pipe = self._pipe
        return pipe is None or pipe.background.flush(timeout)

    def close(self) -> None:
        """Send what is there and stop the thread. An event that comes later starts it again."""
        pipe, self._pipe = self._pipe, None
        self._pipes.clear()
        if self._finalizer is not None:
            self._finalizer.detach()
        if pipe is not None:
            pipe.background.stop()

    def _put(self, taken: Sample) -> None:
        pipe = self._pipe
        if pipe is None:
            pipe = self._begin()
        queue: deque[Sample] | None = pipe.queue
        if len(pipe.queue) & _LOOK_EVERY == 0:
            queue = self._looked_after(pipe)
        if queue is not None:
            queue.append(taken)

    def _looked_after(self, pipe: Pipe) -> deque[Sample] | None:
        """The queue to use, for now and then: emptied where it has grown, left where it is full, another one after a fork.

        Python tells of forks (`forget`), but not where a server forks behind its back, as uWSGI does.
        """
        if pipe.background.pid != os.getpid():
            return self._begin().queue
        if len(pipe.queue) >= _FOLD_AT:
            pipe.fold()
            if len(pipe.queue) >= _QUEUE:  # whoever was at it is very late
                pipe.overflowed += 1
                return None
        return pipe.queue

    def _begin(self) -> Pipe:
        """The pipe of this process; of several threads that find none, one makes it."""
        pid = os.getpid()
        target = self._target
        client = client_for(target, self._max_packet, self._clock) if isinstance(target, Address) else target
        made = Pipe(client, self._dialect(), self._max_samples, self._every)
        pipe = self._pipes.setdefault(pid, made)
        self._pipe = pipe
        if pipe is made:
            if not self._hooked:
                self._hooked = True
                forget_after_fork(self)
            # At exit and when the object is gone: a last flush. The finalizer knows the pipe, never the object.
            self._finalizer = weakref.finalize(self, pipe.background.stop)
            pipe.background.start()
        return pipe

    def forget(self) -> None:
        """Drop everything of this process without sending: in a forked child it is the parent's."""
        for pipe in self._pipes.values():
            pipe.release()  # the child's copy of the socket
        self._pipes.clear()
        self._pipe = None
        if self._finalizer is not None:
            self._finalizer.detach()

    def __repr__(self) -> str:
        return f"<StatsD to {self._target}>"


def _target(address: object) -> Address | StatsClientBase:
    if isinstance(address, StatsClientBase):
        return address
    if not isinstance(address, str) or not address:
        msg = f'StatsD.address must be "host:port", "unix:///path" or a client of the statsd package, not {address!r}'
        raise ConfigurationError(msg)
    return parse_address(address)
