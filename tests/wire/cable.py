"""A bad network between two stacks of this kernel: packets pass through this process, which drops and delays them.

Each end is a network namespace of its own with a TUN device; a socket belongs to the namespace of the thread that made it, so
that one process can be client and server. TCP at both ends is the kernel's: what is lost is really sent again. Needs root.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import itertools
import os
import select
import struct
import subprocess
import threading
from collections.abc import Callable
from random import Random
from typing import Self, TypeVar

from interservice.clock import SYSTEM

_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_TUN_NO_PI = 0x1001
CLIENT, SERVER = "10.77.0.1", "10.77.0.2"
T = TypeVar("T")


def _kernel(call: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), call)(*arguments):
        raise OSError(ctypes.get_errno(), call)


class End:
    """One end: a thread in a namespace of its own, which does what it is told."""

    def __init__(self, own: str, peer: str) -> None:
        self._own, self._peer = own, peer
        self.error: OSError | None = None
        self.tun = -1
        self.namespace = -1
        self._ready = threading.Event()
        threading.Thread(target=self._make, daemon=True).start()
        self._ready.wait(30.0)
        if self.error is not None:
            raise self.error

    def _make(self) -> None:
        try:
            _kernel("unshare", _NEWNET)
            self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.tun, _TUNSETIFF, struct.pack("16sH14x", b"cable", _TUN_NO_PI))
            for command in (
                ["ip", "addr", "add", self._own, "peer", self._peer, "dev", "cable"],
                ["ip", "link", "set", "cable", "up"],
            ):
                subprocess.run(command, check=True, capture_output=True, timeout=20)
            self.namespace = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        except (OSError, AttributeError, subprocess.SubprocessError) as error:
            self.error = error if isinstance(error, OSError) else OSError(str(error))
        finally:
            self._ready.set()

    def run(self, work: Callable[[], T], timeout: float = 50.0) -> T:
        """Do `work` on a thread at this end."""
        result: list[T] = []
        raised: list[BaseException] = []

        def inside() -> None:
            try:
                _kernel("setns", self.namespace, _NEWNET)
                result.append(work())
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=inside, daemon=True)
        thread.start()
        thread.join(timeout)
        if raised:
            raise raised[0]
        return result[0]

    def close(self) -> None:
        for number in (self.tun, self.namespace):
            if number >= 0:
                os.close(number)


class Cable:
    """The cable between a client's and a server's end.

    Attributes:
        delay: Seconds that a packet takes, each way.
        loss: The share of packets that get lost.
        cut: Which packets none arrive of: "", "up" (to the server), "down" (to the client), or "both".
    """

    def __init__(self, *, delay: float = 0.005, loss: float = 0.0, seed: int = 1) -> None:
        self.delay, self.loss, self.cut = delay, loss, ""
        self._random = Random(seed)
        self._over = threading.Event()
        self.client = End(CLIENT, SERVER)
        self.server = End(SERVER, CLIENT)
        self._carrier = threading.Thread(target=self._carry, daemon=True)
        self._carrier.start()

    def _carry(self) -> None:
        up, down = self.client.tun, self.server.tun
        under_way: list[tuple[float, int, int, bytes]] = []
        order = itertools.count()
        while not self._over.is_set():
            now = SYSTEM.monotonic()
            while under_way and under_way[0][0] <= now:
                _, _, to, packet = heapq.heappop(under_way)
                os.write(to, packet)
            rest = min(0.05, under_way[0][0] - now) if under_way else 0.05
            for source in select.select([up, down], [], [], max(0.0, rest))[0]:
                packet = os.read(source, 65536)
                if self.cut in {"both", "up" if source == up else "down"} or self._random.random() < self.loss:
                    continue
                heapq.heappush(under_way, (SYSTEM.monotonic() + self.delay, next(order), down if source == up else up, packet))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._carrier.join(10.0)
        self.client.close()
        self.server.close()
