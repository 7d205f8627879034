"""Cost against size: rules, versions, paths, tokens, issuers, keys, endpoints, services, threads.

What should be flat is told as a ratio to the smallest, and counted in instructions, which no other process lengthens.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter

from benchmarks import sized
from benchmarks.guard.counter import instructions
from benchmarks.measure import calls
from benchmarks.server import running
from benchmarks.table import Bound, Counted, Growth, Side, Table, Target
from interservice.outbound import Bulkhead, ServiceAdapter, ServiceSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.sized import Sized

_SIZES = (1, 10, 100, 1000)
_THREADS = (1, 4, 16, 64)
#: What counts as flat: caches of the machine are what is left.
_FLAT = 1.5
#: Instructions have no caches: beyond a few that chance makes, they are the same.
_SAME = 1.05
_RULES = "A gate with `Versions` and `JWTAuth`, so many rules, each for a route of its own; the one that matches is the last."
_VERSIONS = "A gate with `Versions`; the oldest version is asked for."
_PATHS = "The whole gate with log line and StatsD; so many paths are asked for in turn."
_TOKENS = "A `Verifier` that keeps so many tokens is asked for one of them."
_ISSUERS = "A new token (ES256) for `Issuers` of so many verifiers."
_KEYS = "A new token (ES256) of an issuer with so many keys; 100 are the most that a set may have."
_ENDPOINTS = "The balancer (p2c) picks one of so many endpoints, each with a circuit; one alone makes no pair."
_FLOW = """\
A whole call without its wire: retry with its budget, circuits, ejection and p2c over so many endpoints, answered at once."""
_CACHES = "The instructions are the same (see Growth, counted): what is left is that so many objects do not fit the caches."
_TURNS = "Waiting for a turn of the interpreter is most of it, on both sides, and whose turn it is changes from run to run."
_COUNTED = """\
Bytecode instructions of one operation, counted with 1, 10, 100 and 1,000 of each thing (100 keys, with 1,000 as with 100): the
operations of the tables of growth, and a GET by a `ServiceSession` that has so many services. Times of the largest beside the
smallest; with endpoints beside ten, since one makes no pair."""


def tables(stack: ExitStack) -> list[Table | Counted]:
    """One table for each thing that may grow, and one that counts."""
    gate, tokens, calling = "gate", "tokens", "endpoints"
    return [
        _flat(stack, sized.rules, "rule", chart=gate, text=_RULES, sizes=(*_SIZES, 3000)),
        _flat(stack, sized.served_versions, "version", chart=gate, text=_VERSIONS),
        _flat(stack, sized.paths, "path", chart=gate, text=_PATHS),
        _flat(stack, sized.kept_tokens, "kept token", chart=tokens, text=_TOKENS, sizes=(*_SIZES, 4000)),
        _flat(stack, sized.issuers, "issuer", chart=tokens, text=_ISSUERS),
        _flat(stack, sized.keys, "key", chart=tokens, text=_KEYS, sizes=_SIZES[:-1]),
        _flat(stack, sized.picks, "endpoint", chart=calling, text=_ENDPOINTS, reference=1, key="picks", line="a pick"),
        _flat(
            stack,
            sized.flows,
            "endpoint of a call",
            chart=calling,
            text=_FLOW,
            reference=1,
            key="flows",
            line="a call without its wire",
        ),
        _threads(stack),
        _counted(),
    ]


def _flat(
    stack: ExitStack,
    operation: Sized,
    thing: str,
    *,
    chart: str,
    text: str,
    sizes: Sequence[int] = _SIZES,
    reference: int = 0,
    key: str | None = None,
    line: str | None = None,
) -> Table:
    """A table whose last side should cost what its first does."""
    things = _plural(thing)
    sides = [Side(_label(size, thing), calls(operation(size, stack))) for size in sizes]
    return Table(
        key=f"growth-{key or things.replace(' ', '-')}",
        title=f"Cost against {things}",
        text=text,
        sides=sides,
        reference=sides[reference].name,
        clock="cpu",
        targets=[Target(sides[-1].name, "ratio", _FLAT, why=_CACHES)],
        growth=Growth(chart, things, {line or things: [(size, side.name) for size, side in zip(sizes, sides, strict=True)]}),
    )


def _threads(stack: ExitStack) -> Table:
    url = stack.enter_context(running())
    plain = stack.enter_context(requests.Session())
    plain.mount("http://", HTTPAdapter(pool_maxsize=_THREADS[-1]))
    bulkhead = Bulkhead(max_concurrent=2 * _THREADS[-1])
    ours = stack.enter_context(ServiceSession({"billing": ServiceAdapter("billing", endpoints=[url], bulkhead=bulkhead)}))
    sides, lines = [], {"requests": [], "ServiceSession": []}  # type: tuple[list[Side], dict[str, list[tuple[int, str]]]]
    for count in _THREADS:
        pool = stack.enter_context(ThreadPoolExecutor(count))
        for name, session, target in (("requests", plain, f"{url}/"), ("ServiceSession", ours, "http://billing/")):
            side = Side(f"{name}, {_label(count, 'thread')}", _spread(pool, count, _get(session, target)))
            sides.append(side)
            lines[name].append((count, side.name))
    text = """\
Microseconds from one answer to the next over all threads that share a session (a million by it is calls per second),
everything on. One interpreter runs one thread at a time, and the server has the other core: more threads do not make more
calls."""
    labels = [_label(count, "thread") for count in _THREADS]
    targets = [Target(f"ServiceSession, {label}", "beside", 1.0, f"requests, {label}", _TURNS) for label in labels]
    return Table(
        key="growth-threads",
        title="Cost against threads",
        text=text,
        sides=sides,
        reference=sides[0].name,
        clock="wall",
        targets=targets,
        growth=Growth("threads", "threads", lines),
    )


def _get(session: requests.Session, url: str) -> Callable[[], object]:
    return lambda: session.get(url)


def _spread(pool: ThreadPoolExecutor, threads: int, call: Callable[[], object]) -> Callable[[int], object]:
    """What makes calls from so many threads at once."""

    def run(count: int) -> None:
        left = iter(range(count))
        lock = threading.Lock()
        for done in [pool.submit(_drain, left, lock, call) for _ in range(threads)]:
            done.result()

    return run


def _drain(left: Iterator[int], lock: threading.Lock, call: Callable[[], object]) -> None:
    while True:
        with lock:
            if next(left, None) is None:
                return
        call()


def _counted() -> Counted:
    """Every operation with every size, in instructions."""
    things: list[tuple[str, Sized, Sequence[int]]] = [
        ("rules", sized.rules, _SIZES),
        ("versions", sized.served_versions, _SIZES),
        ("paths", sized.paths, _SIZES),
        ("kept tokens", sized.kept_tokens, _SIZES),
        ("issuers", sized.issuers, _SIZES),
        ("keys", sized.keys, _SIZES[:-1]),
        ("endpoints of a call", sized.flows, _SIZES),
        ("services of a session", sized.services, _SIZES),
    ]
    head = ("", *(f"{size:,}" for size in _SIZES), "times")
    rows = [(name, _instructions(operation, sizes)) for name, operation, sizes in things]
    targets = [Bound(name, "times", _SAME, "x") for name, _, _ in things]
    return Counted(key="growth-counted", title="Growth, counted", text=_COUNTED, head=head, rows=rows, targets=targets)


def _instructions(operation: Sized, sizes: Sequence[int]) -> list[float]:
    """Instructions by size, and the last beside the first."""
    figures: list[float] = []
    for size in sizes:
        with ExitStack() as stack:
            figures.append(instructions(operation(size, stack), warm=max(30, size + 1)))
    first = figures[1] if operation is sized.flows else figures[0]
    padded = figures + [figures[-1]] * (len(_SIZES) - len(figures))
    return [*padded, figures[-1] / first]


def _plural(thing: str) -> str:
    first, _, rest = thing.partition(" of ")
    return f"{first}s of {rest}" if rest else f"{thing}s"


def _label(count: int, thing: str) -> str:
    return f"{count:,} {thing if count == 1 else _plural(thing)}"
