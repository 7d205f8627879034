"""A StatsD receiver on a free UDP port: sums counters and keeps timings, so that the demo can tell what each phase sent."""

from __future__ import annotations

import socket
import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_LARGEST = 65_535
_POLL = 0.2


class Receiver:
    """Receives in a thread of its own; a context manager."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(_POLL)  # closing a socket does not wake who reads from it
        self._closed = False
        self._thread = threading.Thread(target=self._receive, name="demo-statsd", daemon=True)
        self._lock = threading.Lock()
        self._counters: Counter[str] = Counter()
        self._timings: defaultdict[str, list[float]] = defaultdict(list)
        self.bad_lines = 0

    @property
    def address(self) -> str:
        """Where to send to."""
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

    def counters(self) -> Counter[str]:
        """The sum of each counter so far."""
        with self._lock:
            return Counter(self._counters)

    def write(self, path: Path) -> None:
        """Dump what was received: counters with their sums, timings with count, median and maximum in milliseconds."""
        with self._lock:
            lines = [f"{name} {value:g}" for name, value in sorted(self._counters.items())]
            for name, values in sorted(self._timings.items()):
                ordered = sorted(values)
                lines.append(f"{name} count={len(ordered)} p50={ordered[len(ordered) // 2]:.3f}ms max={ordered[-1]:.3f}ms")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _receive(self) -> None:
        while not self._closed:
            try:
                packet = self._socket.recv(_LARGEST)
            except TimeoutError:
                continue
            with self._lock:
                for line in packet.decode("utf-8", "replace").splitlines():
                    self._take(line)

    def _take(self, line: str) -> None:
        name, _, rest = line.partition(":")
        value, _, kind = rest.partition("|")
        try:
            number = float(value)
        except ValueError:
            self.bad_lines += 1
            return
        if kind.startswith("c"):
            self._counters[name] += number  # type: ignore[assignment]  # Counter adds floats as well
        elif kind.startswith("ms"):
            self._timings[name].append(number)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closed = True
        self._thread.join()
        self._socket.close()
