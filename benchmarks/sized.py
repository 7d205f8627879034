"""The same operation with more and more of something: what the tables of growth time and count.

Each function sets up so many of a thing and gives the operation, which is meant to cost the same however many there are.
"""

from __future__ import annotations

import itertools
from functools import cache
from random import Random
from typing import TYPE_CHECKING

import requests

from interservice import AccessLog, Gate, PathVersion, Rule, StatsD, Versions
from interservice.outbound import Balancer, CircuitBreaker, ServiceAdapter, ServiceSession
from interservice.outbound.circuit import Circuit
from interservice.outbound.ejection import Ejection
from interservice.outbound.endpoint import Endpoint
from interservice.outbound.outcome import WireFacts
from interservice.outbound.steps import Sent
from interservice.testing import Issuer
from interservice.tokens import Issuers, StaticKeys, Verifier
from interservice.wsgi import Middleware

from .scene import AUDIENCE, ISSUER, SCOPE, Nowhere, Scene, bare, served, versions
from .server import running
from .simulate.clients import Policies, destination
from .simulate.world import SimulatedCall, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from interservice.outbound.steps import Send

    #: Sets up so many, and gives the operation.
    Sized = Callable[[int, ExitStack], Callable[[], object]]


def rules(count: int, stack: ExitStack) -> Callable[[], object]:
    """A request to a gate with `Versions` and so many rules, each for a route of its own; the last matches."""
    scene = Scene(stack)
    others = [Rule("GET", f"/things{number}/{{id}}/parts/{{part}}", scopes=["other"]) for number in range(count - 1)]
    auth = scene.auth([*others, Rule("GET", "/orders/{id}", scopes=[SCOPE])])
    return served(Middleware(bare, Gate([versions(), auth])), scene.environ())


def served_versions(count: int, stack: ExitStack) -> Callable[[], object]:
    """A request to a gate with `Versions` of so many versions; the oldest is asked for."""
    policy = Versions([str(number) for number in range(1, count + 1)], readers=[PathVersion("/v{version}")], path="strip")
    return served(Middleware(bare, Gate([policy])), Scene(stack).environ())


def paths(count: int, stack: ExitStack) -> Callable[[], object]:
    """A request to the whole gate with log line and StatsD; so many paths are asked for in turn."""
    scene = Scene(stack)
    statsd = StatsD(scene.statsd, prefix="orders", flush_every=3600.0)
    stack.callback(statsd.close)
    app = Middleware(bare, Gate(scene.policies(), [AccessLog(stream=Nowhere()), statsd], service="orders"))
    common = scene.environ()
    each = [served(app, {**common, "PATH_INFO": f"/v1/orders/{1000 + number}"}) for number in range(count)]
    turn = itertools.cycle(each)

    def serve() -> None:
        next(turn)()

    return serve


@cache
def _tokens() -> tuple[Issuer, list[str]]:
    """Real tokens; ES256, since thousands of RS256 take long to make."""
    issuer = Issuer(ISSUER, algorithms=("ES256",), expires_in=86400)
    return issuer, [issuer.mint(sub=f"client-{number}", aud=AUDIENCE) for number in range(4000)]


def kept_tokens(count: int, _: ExitStack) -> Callable[[], object]:
    """A token, verified before, asked of a `Verifier` that keeps so many."""
    issuer, made = _tokens()
    verifier = Verifier(ISSUER, AUDIENCE, keys=StaticKeys(issuer.jwks))
    for token in made[:count]:
        verifier.verify(token)
    token = made[count // 2]
    return lambda: verifier.verify(token)


def issuers(count: int, _: ExitStack) -> Callable[[], object]:
    """A token that is new (ES256), asked of `Issuers` of so many verifiers."""
    issuer = Issuer(f"https://issuer-{count // 2}.internal", algorithms=("ES256",), expires_in=86400)
    keys = StaticKeys(issuer.jwks)
    several = Issuers(
        *(Verifier(f"https://issuer-{number}.internal", AUDIENCE, keys=keys, cache_size=0) for number in range(count))
    )
    token = issuer.mint(sub="billing", aud=AUDIENCE)
    return lambda: several.verify(token)


def keys(count: int, _: ExitStack) -> Callable[[], object]:
    """A token that is new (ES256), asked of a `Verifier` whose issuer has so many keys."""
    each = [Issuer(ISSUER, algorithms=("ES256",), expires_in=86400) for _ in range(count)]
    verifier = Verifier(ISSUER, AUDIENCE, keys=StaticKeys([key for one in each for key in one.jwks["keys"]]), cache_size=0)
    token = each[count // 2].mint(sub="billing", aud=AUDIENCE)
    return lambda: verifier.verify(token)


def picks(count: int, _: ExitStack) -> Callable[[], object]:
    """The balancer (p2c) picks one of so many endpoints, each with a circuit."""
    picker, chance = Balancer("p2c").start(), Random(1)
    endpoints = [Endpoint(f"http://10.0.0.1:{number}", Circuit(CircuitBreaker())) for number in range(1, count + 1)]
    return lambda: picker.pick(endpoints, tried=(), random=chance, now=0.0)


def flows(count: int, _: ExitStack) -> Callable[[], object]:
    """A whole call without its wire: retry and budget, circuit, ejection and p2c over so many endpoints, answered at once."""
    facts = WireFacts(bytes_written=100, response_started=True, body_complete=True)
    world, answer = World(), Sent(facts, response=200, status=200)

    class AtOnce:
        """Answers as soon as it is asked."""

        def answer(self, _step: Send, done: Callable[[Sent], None]) -> None:
            done(answer)

    policies = Policies(breaker=CircuitBreaker(), ejection=Ejection())
    to = destination(policies, [f"http://10.0.0.1:{number}" for number in range(1, count + 1)], world, Random(1))
    statuses: list[int | None] = []

    def ended(_began: float, _ended: float, status: int | None, _sends: int) -> None:
        statuses[:] = (status,)

    def call() -> None:
        SimulatedCall(world, AtOnce(), to, 10.0, ended).go()

    call()
    if statuses != [200]:
        raise RuntimeError(statuses)
    return call


def services(count: int, stack: ExitStack) -> Callable[[], object]:
    """A GET by a `ServiceSession` with so many services, of the one that was named first."""
    url = stack.enter_context(running())
    adapters = {f"service-{number}": ServiceAdapter(f"service-{number}", endpoints=[url]) for number in range(count)}
    session = stack.enter_context(ServiceSession(adapters))
    if session.get("http://service-0/").status_code != requests.codes.ok:
        raise RuntimeError(url)
    return lambda: session.get("http://service-0/")
