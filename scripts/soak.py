"""Calls by the hundred thousand against servers that fail at random, and what must be true of them afterwards.

    python scripts/soak.py [CALLS] [SECONDS]      # `make soak`: 100,000 POSTs with random resets, then a minute of every fault

A POST is never sent twice, whatever happens to its connection; and when everything has ended, nothing is held.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import requests

from interservice.events import Attempted, Called
from interservice.faultserver import FaultServer, Received, Reply
from interservice.outbound import Backoff, Bulkhead, Retry, RetryBudget, ServiceAdapter, ServiceSession, Timeouts

#: As eager as can be, so that only the rules themselves keep a request from being sent again.
EAGER = Retry(
    attempts=4,
    backoff=Backoff(base=0.0, cap=0.0),
    overload_backoff=Backoff(base=0.0, cap=0.0),
    budget=RetryBudget(ratio=1.0, min_per_second=10_000.0, window=1.0),
)
RESETS = [
    Reply.reset(), Reply.drop(), Reply.cut_head(), Reply.truncated(), Reply(body=b"x" * 100, cut=80, end="reset"),
    Reply(end="close"), Reply(end="reset"), Reply(status=503), Reply(status=502, end="close"),
    Reply(status=425), Reply(status=429, headers={"Retry-After": "0"}),
]  # fmt: skip
FAULTS = [
    *RESETS, Reply(delay=0.2), Reply.trickle(0.02, b"y" * 100), Reply.stall(), Reply(status=404), Reply.truncated(chunked=True),
    *[Reply(body=b"x" * size, chunked=chunked) for size in (2, 2_000, 200_000) for chunked in (False, True)] * 3,
]  # fmt: skip


class Posts(NamedTuple):
    """What became of many POSTs.

    Attributes:
        calls: How many were made.
        answered: How many had a 200.
        failed: How many raised.
        resent: Tries beyond the first, all with nothing sent before or by leave of the server (425).
        duplicates: How many the server saw more than once.
        torn: How many it saw with a body that was not whole.
        seconds: How long it took.
    """

    calls: int
    answered: int
    failed: int
    resent: int
    duplicates: int
    torn: int
    seconds: float


class Ledger:
    """A server's account of what it saw, and the fate it deals out."""

    def __init__(self, seed: int, share: float) -> None:
        self._random = Random(seed)
        self._share = share
        self._lock = threading.Lock()
        #: How often each body was seen, but for those that the server said it had not processed.
        self.seen: Counter[bytes] = Counter()
        self.torn = 0

    def __call__(self, request: Received) -> Reply:
        """What becomes of a request; enters it in the account."""
        name, _, rest = request.body.partition(b":")
        with self._lock:
            reply = self._random.choice(RESETS) if self._random.random() < self._share else Reply()
            if reply.status != 425:  # "Too Early: not processed", which may be sent again (RFC 8470)
                self.seen[name] += 1
            self.torn += rest != b"x" * 64
        return reply


def posts(calls: int, *, threads: int = 8, seed: int = 1, share: float = 0.3) -> Posts:
    """Make many POSTs to a server that resets a share of them, from several threads."""
    ledger = Ledger(seed, share)
    answers: Counter[str] = Counter()
    random = Random(seed)
    accept = [random.choice(["accept", "accept", "accept", "reset", "close"]) for _ in range(calls // 4)]
    with FaultServer(then=ledger, accept=accept) as server:
        adapter = ServiceAdapter("posts", endpoints=[server.url], retry=EAGER, breaker=None, bulkhead=None, pool_maxsize=threads)

        def work(number: int) -> None:
            mine: Counter[str] = Counter()
            with ServiceSession({"posts": adapter}) as session:
                for each in range(number, calls, threads):
                    try:
                        response = session.post("http://posts/", data=b"%d:" % each + b"x" * 64, headers={"Content-Type": "t/t"})
                        tries = vars(response)["attempts"]
                        mine["answered"] += response.ok
                    except requests.RequestException as error:
                        tries = vars(error)["attempts"]
                        mine["failed"] += 1
                    mine["resent"] += len(tries) - 1
                    if each % 500 == 0:
                        server.requests.clear()
            answers.update(mine)

        seconds = run(work, threads)
    duplicates = sum(1 for count in ledger.seen.values() if count > 1)
    return Posts(calls, answers["answered"], answers["failed"], answers["resent"], duplicates, ledger.torn, seconds)


class Chaos(NamedTuple):
    """What was left of a while of every fault.

    Attributes:
        calls: How many were made.
        strange: Exceptions that no caller of `requests` expects.
        in_flight: Calls that count as under way at an endpoint, although none is.
        places: Places of the bulkhead that are taken.
        unheard: Calls, or tries, of which no event was told.
        files: Open files more than before.
        threads: Threads more than before.
    """

    calls: int
    strange: list[str]
    in_flight: int
    places: int
    unheard: int
    files: int
    threads: int


def chaos(seconds: float, *, threads: int = 10, seed: int = 1) -> Chaos:
    """Have careless threads call two failing servers, one of which goes away and comes back, for a while."""
    settle()
    files, running = open_files(), threading.active_count()
    told: Counter[str] = Counter()
    made: Counter[str] = Counter()
    strange: list[str] = []
    lock = threading.Lock()

    def listen(event: Any) -> None:  # keeps no error: its frames would keep the responses that threads dropped
        with lock:
            if isinstance(event, Called):
                told["calls"] += 1
                told["said"] += event.attempts
            elif isinstance(event, Attempted):
                told["tries"] += 1

    fates = [Random(seed + position) for position in range(2)]
    with FaultServer(then=lambda _: fates[0].choice(FAULTS)) as one, FaultServer(then=lambda _: fates[1].choice(FAULTS)) as two:
        adapter = ServiceAdapter(
            "billing",
            endpoints=[one.url, two.url],
            timeouts=Timeouts(connect=0.1, read=0.1, total=0.3),
            bulkhead=Bulkhead(max_concurrent=6, max_wait=0.05),
            listeners=[listen],
        )
        until = time.monotonic() + seconds

        def work(number: int) -> None:
            random = Random(seed * 1000 + number)
            with ServiceSession({"billing": adapter}) as session:
                while time.monotonic() < until:
                    try:
                        careless(session, random)
                    except requests.RequestException:
                        pass
                    except BaseException as error:  # noqa: BLE001 - what must not happen
                        strange.append(repr(error))
                    with lock:
                        made["calls"] += 1

        def come_and_go(_number: int) -> None:
            random = Random(seed)
            while time.monotonic() < until:
                time.sleep(min(random.random(), max(0.0, until - time.monotonic())))
                two.refuse()
                two.requests.clear()
                one.requests.clear()
                time.sleep(random.random() / 5)
                two.start()

        run(lambda number: work(number) if number else come_and_go(number), threads)
        gc.collect()
        snapshot = adapter.snapshot()
        slots = adapter._destinations.of(None).slots  # type: ignore[arg-type] # noqa: SLF001
        adapter.close()
    settle()
    unheard = made["calls"] - told["calls"] + told["said"] - told["tries"]
    left = max(0, open_files() - files), max(0, threading.active_count() - running)
    return Chaos(made["calls"], strange, snapshot["in_flight"], slots.in_flight if slots else 0, unheard, *left)


def careless(session: requests.Session, random: Random) -> None:
    """One call as people make them: some bodies are read, some closed, some dropped."""
    method, stream = random.choice(["GET", "POST", "PUT", "HEAD"]), random.random() < 0.4
    response = session.request(method, "http://billing/", stream=stream, data=b"x" * random.choice([0, 10, 100_000]))
    if random.random() < 0.5:
        _ = response.content
    elif random.random() < 0.5:
        response.close()


def run(work: Any, threads: int) -> float:
    """Run `work` with a number on each of so many threads; the seconds it took."""
    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    began = time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.monotonic() - began


def settle() -> None:
    """Wait until the threads of servers that were closed have ended."""
    for thread in threading.enumerate():
        if thread.name.startswith("fault-server"):
            thread.join(10.0)


def open_files() -> int:
    """How many files and sockets this process has open, where the system tells."""
    kernels = Path("/proc/self/fd")
    return len(list(kernels.iterdir())) if kernels.is_dir() else 0


def main(calls: int = 100_000, seconds: float = 60.0) -> int:
    """Print what was found; 1 when it is not what it must be."""
    seed = int(os.environ.get("SEED", "0")) or Random().randrange(1 << 30)
    print(f"seed {seed}")
    sent = posts(calls, seed=seed)
    print(sent)
    left = chaos(seconds, seed=seed)
    print(left)
    return int(bool(sent.duplicates or sent.torn or left.strange or any(left[2:])))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
