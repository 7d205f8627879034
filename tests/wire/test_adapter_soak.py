"""Chaos: many threads, every fault, streams dropped half-read. Afterwards nothing is held and the books agree."""

from __future__ import annotations

import gc
import threading
from random import Random
from typing import Any

import requests

from interservice.events import Attempted, Called
from interservice.faultserver import FaultServer, Received, Reply
from interservice.outbound import Bulkhead, ServiceAdapter, ServiceSession, Timeouts

FAULTS = [
    Reply(status=503), Reply(status=404), Reply(status=429, headers={"Retry-After": "0"}), Reply.reset(), Reply.drop(),
    Reply.cut_head(), Reply.truncated(), Reply.truncated(chunked=True), Reply(delay=0.2), Reply.trickle(0.02, b"y" * 100),
    *[Reply(body=b"x" * size, chunked=chunked) for size in (2, 2_000, 200_000) for chunked in (False, True)] * 3,
]  # fmt: skip


def chaos(seed: int) -> Any:
    random = Random(seed)

    def answer(_request: Received) -> Reply:
        return random.choice(FAULTS)

    return answer


def work(session: requests.Session, random: Random, other: list[BaseException]) -> None:
    """Make calls as careless users do: some bodies are read, some closed, some dropped."""
    for _ in range(40):
        method, stream = random.choice(["GET", "POST", "PUT", "HEAD"]), random.random() < 0.4
        try:
            response = session.request(method, "http://billing/", stream=stream)
            if random.random() < 0.5:
                _ = response.content
            elif random.random() < 0.5:
                response.close()
        except requests.RequestException:
            pass
        except BaseException as error:  # what must not happen
            other.append(error)


def test_everything_comes_back() -> None:
    tries: list[int] = []
    calls: list[int] = []

    def listen(event: Any) -> None:  # keeps no error: its frames would keep the responses that threads dropped
        if isinstance(event, Called):
            calls.append(event.attempts)
        elif isinstance(event, Attempted):
            tries.append(1)

    with FaultServer(then=chaos(1)) as one, FaultServer(then=chaos(2)) as two:
        adapter = ServiceAdapter(
            "billing",
            endpoints=[one.url, two.url],
            timeouts=Timeouts(connect=0.1, read=0.1, total=0.3),
            bulkhead=Bulkhead(max_concurrent=6, max_wait=0.05),
            listeners=[listen],
        )
        session = ServiceSession({"billing": adapter})
        other: list[BaseException] = []
        threads = [threading.Thread(target=work, args=(session, Random(seed), other)) for seed in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60.0)
        gc.collect()
        assert other == []
        assert adapter.snapshot()["in_flight"] == 0
        assert adapter._destinations.of(None).slots.in_flight == 0  # type: ignore[arg-type, union-attr]
        assert len(calls) == 400
        assert sum(calls) == len(tries)
        session.close()
