"""What is counted rather than timed: the work of a request and of a call beside the peers', and how long locks are held."""

from __future__ import annotations

import statistics
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import requests

from benchmarks.guard.counter import count
from benchmarks.guard.paths import PATHS
from benchmarks.layered import Layers, decode, guarded, jwks_client, wsgi_layers
from benchmarks.locks import WatchedLock, watched
from benchmarks.peers import Missing, Peer
from benchmarks.scene import Nowhere, Scene, bare, served
from benchmarks.server import running
from benchmarks.table import Bound, Counted
from interservice import AccessLog, StatsD
from interservice.outbound import ServiceAdapter, ServiceSession

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TEXT = """\
Python functions entered, C functions called, bytecode instructions, and blocks of memory that an instruction took and still
held at its end: the same on a busy machine and an idle one. What C functions do inside is not seen: the signature of PyJWT's
rows, the kernel's part of a call. The paths are those of the guard. A `requests.Session` reads every variable of the environment
for each call, so that its rows are not the same everywhere."""
_LOCKS = """\
A thousand calls by a `ServiceSession` with everything on, log line and metrics, one after the other: how often each lock of
the package is taken in a call, and for how long. The last row is a lock around nothing: what the watch itself takes."""
_SWITCHED = """\
The median is the work done under the lock; a holder that loses the processor or the interpreter meanwhile is in the rest."""
_HEAD = ("", "Python calls", "C calls", "instructions", "blocks")
_LOCK_HEAD = ("made by", "taken in a call", "median us", "99 of 100 within us")
_NAMES = {
    "gate-wsgi": "the whole gate, WSGI",
    "gate-asgi": "the whole gate, ASGI",
    "token-again": "a token, verified before",
    "token-first": "a token at first sight, RS256",
    "negotiation": "a version in the path",
    "access-line": "a line of the access log",
    "statsd-pair": "StatsD, timing and counter",
    "session-call": "ServiceSession, everything on",
}
_CALLS = 1000
_HELD_MOST = 5.0

_otel = Peer("opentelemetry.instrumentation.wsgi")


def tables(_: ExitStack) -> list[Counted]:
    """Two tables."""
    return [_work(), _locks()]


def _work() -> Counted:
    rows, missing = [], []
    for name, path in [*((_NAMES[key], PATHS[key]) for key in _NAMES), *_peers().items()]:
        with ExitStack() as stack:
            try:
                work = count(path(stack))
            except Missing as lack:
                missing.append(f"{name} ({lack})")
                continue
            rows.append((name, list(work.counts.values())))
    return Counted(key="work", title="Work, counted", text=_TEXT, head=_HEAD, rows=rows, missing=missing)


def _peers() -> dict[str, Callable[[ExitStack], Callable[[], object]]]:
    def layers(stack: ExitStack) -> Callable[[], object]:
        scene = Scene(stack)
        return served(wsgi_layers(bare, Layers.of(scene, stack)), scene.environ())

    def observed(stack: ExitStack) -> Callable[[], object]:
        return served(_otel.OpenTelemetryMiddleware(bare), Scene(stack).environ())

    def decoded(stack: ExitStack) -> Callable[[], object]:
        scene = Scene(stack)
        keys, token = jwks_client(scene), scene.token
        return lambda: decode(keys, token)

    def plain(stack: ExitStack) -> Callable[[], object]:
        session, url = stack.enter_context(requests.Session()), stack.enter_context(running())
        return lambda: session.get(f"{url}/invoices/7")

    return {
        "peer: layers by hand, WSGI": layers,
        "peer: OpenTelemetry WSGI alone, without SDK": observed,
        "peer: PyJWT with PyJWKClient": decoded,
        "peer: requests.Session": plain,
        "peer: requests, pybreaker and tenacity": lambda stack: guarded(plain(stack)),
    }


def _locks() -> Counted:
    with ExitStack() as stack, watched() as held:
        scene = Scene(stack)
        url = stack.enter_context(running())
        statsd = StatsD(scene.statsd, prefix="orders")
        stack.callback(statsd.close)
        adapter = ServiceAdapter("billing", endpoints=[url], listeners=[AccessLog(stream=Nowhere()), statsd])
        session = stack.enter_context(ServiceSession({"billing": adapter}))
        for _ in range(_CALLS // 10):
            session.get("http://billing/")
        for each in held.values():
            each.clear()
        for _ in range(_CALLS):
            session.get("http://billing/")
        rows = [_row(name, taken) for name, taken in sorted(held.items()) if len(taken) >= _CALLS // 2]
    targets = [Bound(name, _LOCK_HEAD[3], _HELD_MOST, "us", _SWITCHED) for name, _ in rows]
    rows.append(_row("the watch itself", _nothing()))
    return Counted(key="locks", title="Locks", text=_LOCKS, head=_LOCK_HEAD, rows=rows, targets=targets)


def _row(name: str, taken: Sequence[int]) -> tuple[str, list[float]]:
    held = sorted(nanoseconds / 1000 for nanoseconds in taken)
    return name, [len(held) / _CALLS, statistics.median(held), held[int(len(held) * 0.99)]]


def _nothing() -> list[int]:
    held: list[int] = []
    lock = WatchedLock(threading.Lock(), held)
    for _ in range(_CALLS):
        with lock:
            pass
    return held
