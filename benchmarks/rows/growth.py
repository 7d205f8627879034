"""Cost against size: rules, kept tokens, endpoints, threads. What should be flat is told as a ratio to the smallest."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter

from benchmarks.measure import Side, Table, Target, calls
from benchmarks.scene import AUDIENCE, ISSUER, SCOPE, Scene, bare, served, versions
from benchmarks.server import running
from interservice import Gate, Rule
from interservice.outbound import Balancer, Bulkhead, CircuitBreaker, ServiceAdapter, ServiceSession
from interservice.outbound.circuit import Circuit
from interservice.outbound.endpoint import Endpoint
from interservice.testing import Issuer
from interservice.tokens import StaticKeys, Verifier
from interservice.wsgi import Middleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import ExitStack

_SIZES = (1, 10, 100, 1000)
_THREADS = (1, 4, 16, 64)
#: What counts as flat: caches of the machine are what is left.
_FLAT = 1.5


def tables(stack: ExitStack) -> list[Table]:
    """One table for each thing that may grow."""
    return [_rules(stack), _tokens(), _endpoints(), _threads(stack)]


def _rules(stack: ExitStack) -> Table:
    scene = Scene(stack)

    def side(count: int) -> Side:
        others = [Rule("GET", f"/things{number}/{{id}}", scopes=["other"]) for number in range(count - 1)]
        auth = scene.auth([*others, Rule("GET", "/orders/{id}", scopes=[SCOPE])])
        return Side(_label(count, "rule"), calls(served(Middleware(bare, Gate([versions(), auth])), scene.environ())))

    text = "A gate with `Versions` and `JWTAuth`; the rule that matches is the last."
    return _flat("growth-rules", "Cost against rules", text, [side(count) for count in _SIZES])


def _tokens() -> Table:
    """Kept tokens are real ones; ES256, since a thousand of RS256 take long to make."""
    issuer = Issuer(ISSUER, algorithms=("ES256",), expires_in=86400)
    made = [issuer.mint(sub=f"client-{number}", aud=AUDIENCE) for number in range(_SIZES[-1])]

    def side(count: int) -> Side:
        verifier = Verifier(ISSUER, AUDIENCE, keys=StaticKeys(issuer.jwks))
        for token in made[:count]:
            verifier.verify(token)
        token = made[count // 2]
        return Side(_label(count, "token"), calls(lambda: verifier.verify(token)))

    text = "A `Verifier` that keeps so many tokens is asked for one of them."
    return _flat("growth-tokens", "Cost against kept tokens", text, [side(count) for count in _SIZES])


def _endpoints() -> Table:
    picker = Balancer("p2c").start()
    chance = random.Random(1)

    def side(count: int) -> Side:
        endpoints = [Endpoint(f"http://10.0.0.1:{number}", Circuit(CircuitBreaker())) for number in range(1, count + 1)]
        return Side(_label(count, "endpoint"), calls(lambda: picker.pick(endpoints, tried=(), random=chance, now=0.0)))

    text = "The balancer (p2c) picks one of so many endpoints, each with a circuit; one alone makes no pair."
    return _flat("growth-endpoints", "Cost against endpoints", text, [side(count) for count in _SIZES], reference=1)


def _threads(stack: ExitStack) -> Table:
    url = stack.enter_context(running())
    plain = stack.enter_context(requests.Session())
    plain.mount("http://", HTTPAdapter(pool_maxsize=_THREADS[-1]))
    bulkhead = Bulkhead(max_concurrent=2 * _THREADS[-1])
    ours = stack.enter_context(ServiceSession({"billing": ServiceAdapter("billing", endpoints=[url], bulkhead=bulkhead)}))
    sides = []
    for count in _THREADS:
        pool = stack.enter_context(ThreadPoolExecutor(count))
        for name, session, target in (("requests", plain, f"{url}/"), ("ServiceSession", ours, "http://billing/")):
            sides.append(Side(f"{name}, {_label(count, 'thread')}", _spread(pool, count, _get(session, target))))
    text = """\
Microseconds from one answer to the next over all threads that share a session (a million by it is calls per second),
everything on. One interpreter runs one thread at a time, and the server has the other core: more threads do not make more
calls."""
    return Table(
        key="growth-threads",
        title="Cost against threads",
        text=text,
        sides=sides,
        reference=sides[0].name,
        clock="wall",
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


def _flat(key: str, title: str, text: str, sides: list[Side], reference: int = 0) -> Table:
    target = Target(sides[-1].name, "ratio", _FLAT)
    return Table(key=key, title=title, text=text, sides=sides, reference=sides[reference].name, clock="cpu", targets=[target])


def _label(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
