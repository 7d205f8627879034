"""Calls under gevent: `python -m tests.compat.under_gevent URL LOCALHOST`, a process of its own, patched before anything else.

Prints one JSON object of what happened.
"""

# ruff: noqa: E402, T201 - patched before anything is imported; prints the answer to who called

from gevent import monkey

monkey.patch_all()

import json
import sys

import gevent
import requests

from interservice.clock import SYSTEM
from interservice.outbound import (
    Backoff,
    Bulkhead,
    BulkheadFull,
    CircuitBreaker,
    CircuitOpen,
    DeadlineExceeded,
    Retry,
    ServiceAdapter,
    ServiceSession,
    Timeouts,
)

CALLS = 20


def side_by_side(session: requests.Session) -> dict[str, object]:
    began = SYSTEM.monotonic()
    calls = [gevent.spawn(session.get, "http://billing/slow") for _ in range(CALLS)]
    gevent.joinall(calls, timeout=30)
    seconds = SYSTEM.monotonic() - began
    with session.get("http://billing/long", stream=True) as response:
        streamed = sum(map(len, response.iter_content(1000)))
    return {"statuses": sorted({call.value.status_code for call in calls}), "seconds": seconds, "streamed": streamed}


def bulkheads(url: str) -> dict[str, object]:
    """Greenlets that wait for a place get it; where none may wait, one too many is refused."""
    found: dict[str, object] = {}
    narrow = ServiceAdapter("narrow", endpoints=[url], bulkhead=Bulkhead(max_concurrent=2, max_wait=20.0), retry=None)
    with ServiceSession({"narrow": narrow}) as waiting:
        calls = [gevent.spawn(waiting.get, "http://narrow/slow") for _ in range(6)]
        gevent.joinall(calls, timeout=30)
        found["waited"] = [call.value.status_code for call in calls]
    full = ServiceAdapter("full", endpoints=[url], bulkhead=Bulkhead(max_concurrent=1), retry=None)
    with ServiceSession({"full": full}) as crowded:
        first = gevent.spawn(crowded.get, "http://full/slow")
        gevent.sleep(0)
        try:
            crowded.get("http://full/slow")
        except BulkheadFull as error:
            found["full"] = error.in_flight
        first.join(timeout=30)
    return found


def cancelled(session: requests.Session, adapter: ServiceAdapter) -> dict[str, object]:
    """A timeout of gevent's own, which is no `Exception`, gives everything back."""
    try:
        with gevent.Timeout(0.05):
            session.get("http://billing/stall")
    except gevent.Timeout:
        return {"cancelled": adapter.snapshot()["in_flight"]}
    return {}


def late(url: str) -> dict[str, object]:
    """The deadline holds, and other greenlets run meanwhile."""
    found: dict[str, object] = {}
    ticks: list[int] = []

    def tick() -> None:
        while True:
            ticks.append(1)
            gevent.sleep(0.01)

    ticking = gevent.spawn(tick)
    with ServiceSession({"late": ServiceAdapter("late", endpoints=[url], timeouts=Timeouts(total=0.3))}) as session:
        try:
            session.get("http://late/trickle")
        except DeadlineExceeded as error:
            found["late"] = error.elapsed / error.budget
    ticking.kill()
    return {**found, "ticks": len(ticks)}


def broken(url: str) -> dict[str, object]:
    adapter = ServiceAdapter("broken", endpoints=[url], breaker=CircuitBreaker(min_calls=2), retry=None)
    with ServiceSession({"broken": adapter}) as session:
        gevent.joinall([gevent.spawn(session.get, "http://broken/503") for _ in range(3)], timeout=30)
        try:
            session.get("http://broken/503")
        except CircuitOpen as error:
            return {"circuit": error.state}
    return {}


def named(url: str) -> dict[str, object]:
    """A name is looked up, and its addresses are raced."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", ServiceAdapter(retry=Retry(backoff=Backoff(base=0.0))))
        return {"named": session.get(url).status_code}


def main(url: str, localhost: str) -> dict[str, object]:
    adapter = ServiceAdapter("billing", endpoints=[url], bulkhead=Bulkhead(max_concurrent=CALLS))
    session = ServiceSession({"billing": adapter})
    found = side_by_side(session) | bulkheads(url) | cancelled(session, adapter) | late(url) | broken(url) | named(localhost)
    return {**found, "held": adapter.snapshot()["in_flight"]}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:3])))
