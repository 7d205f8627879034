"""What is asked of the servers: applications that take turns, and what they are compared with."""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from benchmarks.scene import PATH, REQUEST_ID, TRACEPARENT, Scene
from benchmarks.server import running

from .server import serving
from .wrk import wrk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .server import Server
    from .wrk import Seen

#: Requests under way at any time.
CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Side:
    """One of the applications compared.

    Attributes:
        name: What the table calls it.
        server: A command of `server.COMMANDS`.
        app: A factory of `apps`.
        threads: Threads of the worker that run the application, where the server has a choice.
        peers: Modules of other projects that it needs.
    """

    name: str
    server: str
    app: str
    threads: int = 1
    peers: tuple[str, ...] = ()

    @property
    def lacks(self) -> list[str]:
        """What is not installed of what it needs."""
        return [module for module in (self.server.partition("-")[0], *self.peers) if find_spec(module) is None]


@dataclass(frozen=True, slots=True)
class Target:
    """What a side should come to: `rate` at least, `p99` and `errors` at most, in every round.

    Attributes:
        side: Its name.
        kind: What it is about.
        limit: Requests a second, milliseconds, or errors.
    """

    side: str
    kind: str
    limit: float


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Applications that are asked the same in turns.

    Attributes:
        key: A short name, for the command line and JSON.
        title: A heading.
        text: What is compared, and how it is set up.
        sides: The applications; the first is what the others are compared with.
        targets: What is aimed at.
        calls: Whether they call another service.
    """

    key: str
    title: str
    text: str
    sides: Sequence[Side]
    targets: Sequence[Target] = ()
    calls: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """What wrk saw in one round, and the processor time of the server in it, in microseconds a request."""

    seen: Seen
    cpu: float


@dataclass(slots=True)
class Result:
    """A scenario and its rounds, by side; and what could not be had."""

    scenario: Scenario
    rounds: dict[str, list[Round]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def rates(self, side: str) -> list[float]:
        """Requests a second, by round."""
        return [each.seen.rate for each in self.rounds[side]]

    def ratios(self, side: str, *, cpu: bool = False) -> list[float]:
        """Rate, or processor time of a request, beside the first side's in the same round."""
        first = self.rounds[self.scenario.sides[0].name]
        if cpu:
            return [ours.cpu / theirs.cpu for ours, theirs in zip(self.rounds[side], first, strict=True)]
        return [ours.seen.rate / theirs.seen.rate for ours, theirs in zip(self.rounds[side], first, strict=True)]

    def figure(self, target: Target) -> float:
        """What a target speaks of: the median rate, the worst p99, all errors."""
        rounds = self.rounds[target.side]
        if target.kind == "rate":
            return statistics.median(self.rates(target.side))
        if target.kind == "p99":
            return max(each.seen.p99 for each in rounds)
        return float(sum(each.seen.errors for each in rounds))


_GUARDS = ("pybreaker", "tenacity")
_GATED = "the whole gate in front"
_GATE = """\
One worker process, one thread of wrk, {connections} connections with keep-alive, on the same cores. Every request has a token
(RS256), `traceparent`, `X-Request-ID` and `X-Request-Timeout-Ms`. The whole gate is `Tracing`, `Deadlines`, `Versions` (path,
stripped), `JWTAuth` (keys from a JWKS, two rules), `AccessLog` (standard output, one write for each line, to /dev/null) and
`StatsD` (UDP on loopback). The layers by hand are those of the table "The gate beside its peers",
with their log on standard output too."""
_CALLS = """\
A Flask service under granian, one worker with eight threads, whose handler makes one GET with keep-alive to a service on
loopback (a process of its own, as small as there can be) and hands its body on; {connections} connections of wrk. "Everything on"
is endpoints, retry with a budget, circuit breaker, bulkhead, a total deadline, a JSON line and StatsD metrics for each call. The
layers by hand are those of the table "The gate beside its peers", which log and count requests, not calls; both they and the gate
verify an RS256 token. Processor time is that of the calling service, its part of the kernel included."""


def scenarios() -> dict[str, Scenario]:
    """Every scenario, by its key."""
    flask = Scenario(
        key="flask",
        title="Flask under granian",
        text=_GATE.format(connections=CONNECTIONS),
        sides=[
            Side("bare Flask", "granian-wsgi", "flask_bare"),
            Side(f"Flask, {_GATED}", "granian-wsgi", "flask_gated"),
            Side("Flask, layers by hand in front", "granian-wsgi", "flask_by_hand"),
        ],
        targets=[
            Target(f"Flask, {_GATED}", "rate", 10_000),
            Target(f"Flask, {_GATED}", "p99", 20),
            Target(f"Flask, {_GATED}", "errors", 0),
        ],
    )
    asgi = [
        Scenario(
            key=key,
            title=f"Starlette under {server}",
            text=f"The same with a Starlette application under {server}, one worker process.",
            sides=[Side("bare Starlette", command, "asgi_bare"), Side(f"Starlette, {_GATED}", command, "asgi_gated")],
            targets=[Target(f"Starlette, {_GATED}", "p99", 20), Target(f"Starlette, {_GATED}", "errors", 0)],
        )
        for key, server, command in (("uvicorn", "uvicorn", "uvicorn"), ("granian", "granian", "granian-asgi"))
    ]
    calls = Scenario(
        key="calls",
        title="A service that calls another",
        text=_CALLS.format(connections=CONNECTIONS),
        sides=[
            Side("requests.Session", "granian-wsgi", "calls_plainly", 8),
            Side("requests, pybreaker and tenacity", "granian-wsgi", "calls_guarded", 8, _GUARDS),
            Side("ServiceSession, everything on", "granian-wsgi", "calls_toolkit", 8),
            Side("layers by hand in front; requests, pybreaker and tenacity behind", "granian-wsgi", "whole_by_hand", 8, _GUARDS),
            Side("the whole gate in front; ServiceSession behind", "granian-wsgi", "whole_toolkit", 8),
        ],
        targets=[Target("the whole gate in front; ServiceSession behind", "errors", 0)],
        calls=True,
    )
    return {scenario.key: scenario for scenario in (flask, *asgi, calls)}


def environment(scene: Scene, stack: ExitStack, *, calls: bool) -> dict[str, str]:
    """What the applications need to know."""
    env = {"LOAD_JWKS": scene.jwks_url, "LOAD_STATSD": scene.statsd}
    return {**env, "LOAD_CALLEE": stack.enter_context(running())} if calls else env


def headers(scene: Scene) -> dict[str, str]:
    """What a service sends with its requests."""
    return {
        "Authorization": f"Bearer {scene.token}",
        "traceparent": TRACEPARENT,
        "X-Request-ID": REQUEST_ID,
        "X-Request-Timeout-Ms": "2000",
        "Accept": "application/json",
    }


def run(scenario: Scenario, rounds: int, seconds: int, progress: Callable[[str], None]) -> Result:
    """Ask every side that can be had in every round, in an order that turns."""
    missing = [f"{side.name} ({', '.join(side.lacks)})" for side in scenario.sides if side.lacks]
    scenario = replace(scenario, sides=[side for side in scenario.sides if not side.lacks])
    result = Result(scenario, {side.name: [] for side in scenario.sides}, missing)
    with ExitStack() as stack:
        scene = Scene(stack)
        env = environment(scene, stack, calls=scenario.calls)
        servers = {}
        for side in scenario.sides:
            progress(f"{scenario.key}: starting {side.name}")
            servers[side.name] = stack.enter_context(serving(side.server, side.app, env, threads=side.threads))
            ask(servers[side.name], headers(scene), 1)  # keys fetched, connections made, bytecode specialised
        names = list(servers)
        for number in range(rounds):
            for name in names:
                progress(f"{scenario.key}: round {number + 1} of {rounds}, {name}")
                result.rounds[name].append(ask(servers[name], headers(scene), seconds))
            names.reverse()
    return result


def ask(server: Server, fields: Mapping[str, str], seconds: int) -> Round:
    """One run of wrk against a server."""
    before = server.cpu()
    seen = wrk(server.url + PATH, seconds=seconds, connections=CONNECTIONS, headers=fields)
    return Round(seen, (server.cpu() - before) / max(seen.requests, 1) * 1e6)
